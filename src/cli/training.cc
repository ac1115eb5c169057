#include "cli/training.h"

#include <chrono>
#include <thread>

#include "base/format.h"
#include "base/utf8.h"
#include "catalog/catalog.h"
#include "catalog/file_hash.h"
#include "cli/background.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "cli/verified_set.h"
#include "engine/cpu_class.h"
#include "env/file.h"
#include "env/process.h"
#include "env/random.h"
#include "node/machine.h"
#include "tuning/adoption.h"
#include "tuning/peft_import.h"
#include "tuning/trainer.h"
#include "tuning/work.h"

namespace loam::cli {
namespace {

constexpr std::int64_t kStopMs = 300'000;  // one step of a large batch may take minutes
constexpr std::int64_t kPollMs = 200;
constexpr std::uint64_t kRecipeBytesMax = std::uint64_t{1} << 20;

void sleep_ms(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Result<catalog::Model> find_model(catalog::Catalog& catalog, const TrainingOrder& order) {
  if (order.model) return catalog.find(*order.model);
  auto all = LOAM_TRY(catalog.list());
  std::erase_if(all, [](const catalog::Model& model) { return model.adapter.has_value(); });
  if (all.size() == 1) return std::move(all.front());
  return fail(ErrorCode::kInvalidArgument,
              all.empty()
                  ? "train: there is no model on this machine"
                  : format("train: there are {} models; say which with --model", all.size()),
              all.empty() ? "loam pull smollm2" : "loam ls");
}

/// What is free, within what the owner allows.
std::uint64_t memory_bytes_max(const node::Config& config) {
  const std::uint64_t cap = node::training_memory_max(config);
  const std::uint64_t available = node::memory().available_bytes;
  return cap == 0 ? available : std::min(available, cap);
}

std::unique_ptr<tuning::Trainer> trainer_of(const Invocation& invocation) {
  std::vector<std::string> arguments;
  add_globals(invocation, arguments);
  return tuning::make_process_trainer("/proc/self/exe", std::move(arguments), invocation.clock);
}

}  // namespace

Result<std::unique_ptr<catalog::Catalog>> open_catalog(const Invocation& invocation) {
  const env::Path data = LOAM_TRY(folders_of(invocation)).data;
  return catalog::Catalog::open(data / "catalog.db", data / "models", invocation.clock,
                                catalog::Opener::kGuest);
}

Result<tuning::Recipe> read_recipe(const std::optional<std::string>& file) {
  if (!file) return tuning::Recipe{};
  const std::string text = LOAM_TRY(env::read_file(*file, kRecipeBytesMax));
  return tuning::parse_recipe(text, *file);
}

Result<NewTraining> make_training(Invocation& invocation, const TrainingOrder& order) {
  const auto config = LOAM_TRY(config_of(invocation)).config;
  tuning::JobSpec spec;
  spec.recipe = LOAM_TRY(read_recipe(order.recipe));
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const catalog::Model model = LOAM_TRY(find_model(*catalog, order));
  if (model.adapter)
    return fail(ErrorCode::kUnsupported,
                format("train: {} has an adapter, and every training begins at a base", model.name),
                "name the model that the adapter was made for");
  LOAM_TRY(tuning::check_size(spec.recipe, model));
  spec.name = LOAM_TRY(catalog::checked_name(order.name.value_or(tuning::default_name(model))));
  spec.model = model.name;
  spec.model_sha256 = model.sha256;
  if (order.threads && (*order.threads < 1 || *order.threads > 1024))
    return fail(ErrorCode::kInvalidArgument, "--threads: a number from 1 to 1024");
  spec.threads =
      order.threads ? static_cast<std::size_t>(*order.threads) : node::training_threads(config);
  spec.data_set = LOAM_TRY(env::real_path(order.data_set));
  if (!is_valid_utf8(spec.data_set.string()))
    return fail(ErrorCode::kInvalidArgument, "train: the path of the data set is not UTF-8",
                "move the data set to another path");
  spec.data_set_root = LOAM_TRY(verified_root(invocation, "train", order.data_set, order.keys));
  LOAM_TRY(check_not_withdrawn(invocation, "train", spec.data_set));
  spec.rows_sha256 = LOAM_TRY(catalog::hash_file(spec.rows())).sha256;
  const std::uint64_t bytes_max = memory_bytes_max(config);
  const tuning::Estimate estimate =
      LOAM_TRY(tuning::estimate_job(*catalog, model, spec, bytes_max, invocation.clock));
  spec.id = env::random_id("ftjob-");
  spec.created_ms = invocation.clock.wall_ms();
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  return NewTraining{LOAM_TRY(tuning::JobFolder::create(tuning::jobs_folder(folders.data), spec)),
                     estimate, bytes_max};
}

Result<> start_training(const Invocation& invocation, const tuning::JobFolder& job) {
  if (!job.spec().caller.empty()) LOAM_TRY(job.set_intent(tuning::JobIntent::kWork));
  return trainer_of(invocation)->start(job);
}

Result<tuning::JobStatus> do_training(Invocation& invocation, const tuning::JobFolder& job) {
  env::work_in_background();
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const auto config = LOAM_TRY(config_of(invocation)).config;
  const InterruptGuard guard;
  return tuning::work(
      job, {.catalog = *catalog,
            .clock = invocation.clock,
            .worker_program = engine::worker_program("/proc/self/exe", engine::probe_cpu()),
            .version = node::version(),
            .memory_bytes_max = memory_bytes_max(config),
            .memory_bytes_cap = node::training_memory_max(config),
            .stopping = [] { return InterruptGuard::interrupted(); },
            .check_data_set =
                [&](const env::Path& data_set) {
                  return check_not_withdrawn(invocation, "train", data_set);
                }});
}

Result<std::optional<tuning::JobState>> watch_training(Invocation& invocation,
                                                       const tuning::JobFolder& job) {
  const InterruptGuard guard;
  for (;;) {
    tuning::JobState state = LOAM_TRY(job.state());
    const bool works =
        state.status == tuning::JobStatus::kRunning || state.status == tuning::JobStatus::kQueued;
    if (!works || InterruptGuard::interrupted()) {
      invocation.console.progress("");
      if (works) return std::nullopt;
      return state;
    }
    invocation.console.progress(
        state.steps == 0 ? state.doing + " ..."
        : state.step == 0
            ? format("{} steps, about {} ...", state.steps, short_duration(state.seconds_left))
            : format("step {} of {}, loss {:.3f}, {:.0f} tokens/s, {} left", state.step,
                     state.steps, state.loss, state.tokens_per_s,
                     short_duration(state.seconds_left)));
    sleep_ms(kPollMs);
  }
}

Result<catalog::Model> adopt_training(const Invocation& invocation, const tuning::JobFolder& job,
                                      const std::optional<std::string>& wanted) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  return tuning::adopt(*catalog, job, wanted.value_or(job.spec().name));
}

Result<catalog::Model> import_training(const Invocation& invocation, const env::Path& folder,
                                       const TrainingOrder& order) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const catalog::Model base = LOAM_TRY(find_model(*catalog, order));
  const std::string source = "trained outside, not replayable: " + folder.filename().string();
  const std::string name = LOAM_TRY(
      tuning::free_name(*catalog, order.name.value_or(tuning::default_name(base)), source));
  env::Fd base_file = LOAM_TRY(catalog->open_verified(base));
  const Bytes adapter = LOAM_TRY(tuning::import_peft(folder, base, std::move(base_file), name));
  const env::Path cache = LOAM_TRY(folders_of(invocation)).cache;
  LOAM_TRY(env::make_folder(cache));
  const env::Path file = cache / env::random_id("adapter-");
  LOAM_TRY(env::write_file_atomic(
      file, {reinterpret_cast<const char*>(adapter.data()), adapter.size()}, 0600));
  auto added = catalog->add_adapter(name, base, file, crypto::sha256(adapter), source);
  LOAM_TRY(env::remove_file(file));
  return added;
}

Result<bool> stop_training(Invocation& invocation, const tuning::JobFolder& job) {
  // A node that has the job in its queue does not start it again.
  if (!job.spec().caller.empty()) LOAM_TRY(job.set_intent(tuning::JobIntent::kPause));
  const bool worked = LOAM_TRY(trainer_of(invocation)->stop(job));
  if (!worked) return false;
  const std::int64_t until = invocation.clock.steady_ms() + kStopMs;
  while (invocation.clock.steady_ms() < until) {
    if (!job.holder()) return true;
    invocation.console.progress("waiting for the end of the step ...");
    sleep_ms(kPollMs);
  }
  return fail(ErrorCode::kDeadlineExceeded,
              format("stop training {}: its process still works", job.spec().id),
              format("it ends after its step; loam train show {} tells", job.spec().id));
}

}  // namespace loam::cli
