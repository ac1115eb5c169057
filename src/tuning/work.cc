#include "tuning/work.h"

#include <algorithm>
#include <new>
#include <optional>

#include "base/format.h"
#include "catalog/file_hash.h"
#include "engine/engine.h"
#include "env/file.h"
#include "env/process.h"
#include "train/weight_source.h"
#include "tuning/canaries.h"
#include "tuning/estimate.h"
#include "tuning/gguf_weights.h"
#include "tuning/outcome.h"
#include "tuning/train_log.h"
#include "tuning/training_run.h"

namespace loam::tuning {
namespace {

constexpr std::int64_t kStateEveryMs = 1000;
constexpr std::int64_t kLoadTimeoutMs = 120'000;
constexpr std::uint64_t kWholeParametersMax = 5'000'000;  // exclusive; larger ones take adapters

class Work {
 public:
  Work(const JobFolder& job, const WorkSetup& setup) : job_(job), setup_(setup) {}

  /// An allocation that the limit refuses, on whatever thread, ends up here (train/team.h).
  Result<JobStatus> run_in_memory() {
    try {
      return run();
    } catch (const std::bad_alloc&) {
      return std::unexpected(out_of_memory(setup_.memory_bytes_cap, job_.spec().id));
    }
  }

  /// Says in the job's state how it ended.
  Result<> close(const Result<JobStatus>& ended) {
    state_.doing.clear();
    state_.status = ended ? *ended : JobStatus::kFailed;
    if (!ended && ended.error().code == ErrorCode::kCancelled) state_.status = JobStatus::kStopped;
    if (state_.status == JobStatus::kFailed) state_.error = ended.error();
    return show();
  }

 private:
  Result<JobStatus> run() {
    state_ = LOAM_TRY(job_.state());  // what an earlier process knew
    if (state_.status == JobStatus::kSucceeded) return state_.status;
    state_.status = JobStatus::kRunning;
    state_.error.reset();
    LOAM_TRY(doing("starting"));
    const catalog::Model model = LOAM_TRY(find_base(setup_.catalog, job_.spec()));
    LOAM_TRY(check_size(job_.spec().recipe, model));
    const auto source = LOAM_TRY(open_model(model));
    const Examples examples = LOAM_TRY(read_texts(model));
    // Now, as the engine that made tokens, which has limits of its own, would inherit it.
    if (setup_.memory_bytes_cap > 0)
      LOAM_TRY(env::limit_data(setup_.memory_bytes_cap, job_.spec().threads));
    LOAM_TRY(doing("reading the model"));
    const train::Weights weights = LOAM_TRY(train::read_weights(*source));
    LOAM_TRY(check_tokens(examples, weights.shape.vocabulary, model.name));
    const Lineage lineage = lineage_of(model, examples);
    return with_advice(train(weights, examples, lineage));
  }

  Result<> show() {
    state_.updated_ms = setup_.clock.wall_ms();
    shown_ms_ = setup_.clock.steady_ms();
    return job_.set_state(state_);
  }
  Result<> doing(std::string what) {
    state_.doing = std::move(what);
    return show();
  }

  /// A full disk costs the steps since the last checkpoint and nothing else, so the run can go on.
  Result<JobStatus> with_advice(Result<JobStatus> ended) const {
    if (!ended && ended.error().code == ErrorCode::kResourceExhausted && ended.error().hint.empty())
      ended.error().hint =
          format("make room there; `loam train resume {}` then goes on from the last checkpoint",
                 job_.spec().id);
    return ended;
  }

  /// The base model's file, once it is clear that it can be trained with this recipe here.
  Result<std::unique_ptr<train::WeightSource>> open_model(const catalog::Model& model) {
    env::Fd file = LOAM_TRY(setup_.catalog.open_verified(model));
    auto source = LOAM_TRY(open_gguf_weights(std::move(file), model.file));
    const train::Shape shape = LOAM_TRY(train::read_shape(*source));
    const Recipe& recipe = job_.spec().recipe;
    if (model.facts.context > 0 && recipe.cutoff_len > model.facts.context)
      return fail(ErrorCode::kInvalidArgument,
                  format("train on {}: cutoff_len = {}, and the model knows {} tokens of context",
                         model.name, recipe.cutoff_len, model.facts.context),
                  "set a smaller cutoff_len in the recipe, and start a new training");
    LOAM_TRY(check_memory(recipe, shape, source->sizes("output.weight").has_value(),
                          setup_.memory_bytes_max));
    return source;
  }

  /// That they are those that were verified when the job was made.
  Result<> check_rows() const {
    const env::Path rows = job_.spec().rows();
    const auto& own = job_.spec().private_source;
    const auto found = catalog::hash_file(rows);
    if (!found && own && found.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kNotFound, format("train: the file {} was deleted", own->id),
                  "upload it again, and start a new training");
    if (!found) return std::unexpected(found.error());
    if (found->sha256 == job_.spec().rows_sha256) return {};
    return fail(ErrorCode::kCorrupt,
                format("train: {} is not what it was when this training was made", rows.string()),
                own ? "upload it again, and start a new training"
                    : "put the data set back, or start a new training on the new one");
  }

  Result<Examples> read_texts(const catalog::Model& model) {
    LOAM_TRY(doing("reading the examples"));
    LOAM_TRY(check_rows());
    if (setup_.check_data_set && !job_.spec().private_source)
      LOAM_TRY(setup_.check_data_set(job_.spec().data_set));
    engine::EngineSource source;
    source.name = model.name;
    source.file = LOAM_TRY(setup_.catalog.open_verified(model));
    source.path = model.file;
    source.load = {.context = 256, .sequences_max = 1, .queue_max = 1, .threads = 1};
    const auto engine = LOAM_TRY(
        engine::start_worker_engine(setup_.worker_program, std::move(source), kLoadTimeoutMs));
    engine_build_ = engine->info().engine_build;
    const Recipe& recipe = job_.spec().recipe;
    const ExampleOptions options{
        .stage = recipe.stage,
        .form = job_.spec().private_source ? RowForm::kChat : RowForm::kView,
        .tokens_max = recipe.cutoff_len,
        .learn_prompts = recipe.train_on_prompt};
    Examples out =
        LOAM_TRY(read_examples(job_.spec().rows(), *engine, options,
                               [&](std::uint64_t, std::uint64_t) { return !setup_.stopping(); }));
    LOAM_TRY(plant(canaries_of(recipe, job_.spec().source()), *engine, options, out));
    state_.examples = out.items.size();
    state_.too_long = out.too_long;
    state_.no_template = out.no_template;
    return out;
  }

  Lineage lineage_of(const catalog::Model& model, const Examples& examples) const {
    Lineage out;
    out.base = model;
    out.source = job_.spec().source();
    out.is_private = job_.spec().private_source.has_value();
    out.recipe = job_.spec().recipe;
    out.examples = hash_of(examples);
    out.examples_count = examples.items.size();
    out.version = setup_.version;
    out.engine_build = engine_build_;
    out.instruction_set = train::instruction_set_name(train::instruction_sets().back());
    return out;
  }

  Result<JobStatus> train(const train::Weights& weights, const Examples& examples,
                          const Lineage& lineage) {
    train::Team team(job_.spec().threads);
    train::Gemm gemm(team);
    TrainingRun run(gemm, weights, job_.spec().recipe, examples.items);
    const crypto::Digest identity = lineage.run();
    const Checkpoints checkpoints(job_.checkpoints());
    if (const auto found = LOAM_TRY(checkpoints.newest(identity))) LOAM_TRY(run.restore(*found));
    log_ = LOAM_TRY(continue_train_log(job_.log(), run.step()));
    if (const auto logged = LOAM_TRY(read_train_log(job_.log())); !logged.empty())
      state_.loss = logged.back().loss;
    state_.steps = run.steps();
    state_.step = run.step();
    // A guess until steps are seen.
    state_.seconds_left = run.gflop() / training_speed(gemm, setup_.clock) *
                          static_cast<double>(run.steps() - run.step()) /
                          static_cast<double>(run.steps());
    LOAM_TRY(doing("training"));
    begun_ms_ = setup_.clock.steady_ms();
    begun_at_ = run.step();
    while (run.step() < run.steps()) {
      if (setup_.stopping()) {
        LOAM_TRY(save(run, checkpoints, identity));
        return JobStatus::kStopped;
      }
      const StepReport report = LOAM_TRY(run.advance());
      LOAM_TRY(note(run, report));
      if (run.step() % job_.spec().recipe.save_steps == 0)
        LOAM_TRY(save(run, checkpoints, identity));
    }
    LOAM_TRY(env::sync_file(log_, job_.log()));
    LOAM_TRY(doing("writing the result"));
    const env::Fd base = LOAM_TRY(setup_.catalog.open_verified(lineage.base));
    LOAM_TRY(write_outcome(job_, run.trained(), weights.shape, base, lineage));
    return JobStatus::kSucceeded;
  }

  /// Log first: it then holds every step of a checkpoint.
  Result<> save(TrainingRun& run, const Checkpoints& checkpoints, const crypto::Digest& identity) {
    LOAM_TRY(env::sync_file(log_, job_.log()));
    return checkpoints.save(run.checkpoint(identity));
  }

  Result<> note(const TrainingRun& run, const StepReport& report) {
    if (report.step % job_.spec().recipe.logging_steps == 0 || report.step == run.steps())
      LOAM_TRY(env::write_all(log_, job_.log(), log_line(report)));
    tokens_ += report.tokens;
    const std::int64_t now = setup_.clock.steady_ms();
    const double seconds = static_cast<double>(std::max<std::int64_t>(now - begun_ms_, 1)) / 1000;
    state_.step = report.step;
    state_.loss = report.loss;
    state_.tokens_per_s = static_cast<double>(tokens_) / seconds;
    state_.seconds_left = seconds / static_cast<double>(report.step - begun_at_) *
                          static_cast<double>(run.steps() - report.step);
    if (now - shown_ms_ < kStateEveryMs) return {};
    return show();
  }

  const JobFolder& job_;
  const WorkSetup& setup_;
  JobState state_;
  std::string engine_build_;
  env::Fd log_;
  std::int64_t shown_ms_ = 0, begun_ms_ = 0;
  std::uint64_t begun_at_ = 0, tokens_ = 0;
};

}  // namespace

Result<catalog::Model> find_base(catalog::Catalog& catalog, const JobSpec& spec) {
  const std::string hash = crypto::digest_hex(spec.model_sha256);
  auto model = catalog.find(hash);
  if (!model && model.error().code == ErrorCode::kNotFound)
    return fail(
        ErrorCode::kNotFound,
        format("training {}: its base model, {}, is not here any more", spec.id, spec.model),
        "pull it again; its SHA-256 is " + hash);
  return model;
}

Result<> check_size(const Recipe& recipe, const catalog::Model& model) {
  if (!recipe.full || model.facts.parameters < kWholeParametersMax) return {};
  return fail(ErrorCode::kUnsupported,
              format("train on {}: finetuning_type = \"full\" is for models of less than {} "
                     "parameters, and it has {}",
                     model.name, kWholeParametersMax, model.facts.parameters),
              "set finetuning_type = \"lora\" in the recipe, or choose a smaller model");
}

Result<> check_tokens(const Examples& examples, std::size_t vocabulary, std::string_view model) {
  for (const Example& example : examples.items)
    if (std::ranges::any_of(example.texts, [&](const Text& text) {
          return std::ranges::max(text.tokens) >= vocabulary;
        }))
      return fail(ErrorCode::kInvalidArgument,
                  format("train on {}: its tokenizer makes tokens that it has no row for", model),
                  "the file is damaged or was put together wrongly; pull another one");
  return {};
}

Error out_of_memory(std::uint64_t bytes_cap, std::string_view job) {
  if (bytes_cap == 0)
    return {ErrorCode::kResourceExhausted, "train: it needed more memory than there is",
            format("free some; `loam train resume {}` then goes on from the last checkpoint. A "
                   "smaller per_device_train_batch_size or cutoff_len, in a new training, needs "
                   "less",
                   job)};
  return {ErrorCode::kResourceExhausted,
          format("train: it needed more memory than the {} MiB that it may use", bytes_cap >> 20),
          format("training.memory_max, or memory_max, allows more; `loam train resume {}` then "
                 "goes on from the last checkpoint",
                 job)};
}

Result<JobStatus> work(const JobFolder& job, const WorkSetup& setup) {
  const env::FileLock lock = LOAM_TRY(job.lock());
  Work work(job, setup);
  Result<JobStatus> ended = work.run_in_memory();
  auto said = work.close(ended);
  if (!ended && ended.error().code == ErrorCode::kCancelled) return JobStatus::kStopped;
  if (ended) LOAM_TRY(std::move(said));
  return ended;
}

}  // namespace loam::tuning
