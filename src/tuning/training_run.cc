#include "tuning/training_run.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/format.h"
#include "train/cost.h"

namespace loam::tuning {
namespace {

constexpr std::size_t kRecordsNamed = 3;  // in an error

std::vector<std::size_t> lengths_of(std::span<const Example> examples) {
  std::vector<std::size_t> out;
  for (const Example& example : examples) out.push_back(example.tokens());
  return out;
}

void copy_in(std::span<const float> from, const train::Spans& to) {
  for (const std::span<float> part : to) {
    std::ranges::copy(from.first(part.size()), part.begin());
    from = from.subspan(part.size());
  }
}

/// Tokens that go through the model at once, at most.
std::size_t batch_tokens_max(const Recipe& recipe) {
  const std::size_t texts = recipe.stage == Stage::kDpo ? 2 : 1;
  return texts * recipe.cutoff_len * recipe.per_device_train_batch_size;
}

std::vector<BatchPlan> plan_pass(const Recipe& recipe, std::span<const std::size_t> lengths,
                                 std::uint64_t epoch) {
  return plan_epoch(lengths, batch_tokens_max(recipe), recipe.per_device_train_batch_size,
                    recipe.seed, epoch);
}

}  // namespace

std::vector<std::uint64_t> steps_before_passes(const Recipe& recipe,
                                               std::span<const std::size_t> lengths) {
  const auto epochs = static_cast<std::uint64_t>(recipe.num_train_epochs);  // a whole number
  std::vector<std::uint64_t> out;
  std::uint64_t steps = 0;
  do {
    out.push_back(steps);
    const std::size_t batches = plan_pass(recipe, lengths, out.size() - 1).size();
    steps +=
        (batches + recipe.gradient_accumulation_steps - 1) / recipe.gradient_accumulation_steps;
  } while (recipe.max_steps == 0 ? out.size() < epochs : steps < recipe.max_steps);
  out.push_back(steps);
  return out;
}

std::uint64_t steps_of(const Recipe& recipe, std::span<const std::uint64_t> before_passes) {
  return recipe.max_steps == 0 ? before_passes.back() : recipe.max_steps;
}

double run_gflop(const Recipe& recipe, const train::Shape& shape, const train::Traffic& pass,
                 std::span<const std::uint64_t> before_passes) {
  const double passes =
      static_cast<double>(steps_of(recipe, before_passes)) / static_cast<double>(before_passes[1]);
  // A preference is judged before it is learned: one more forward pass, a third of the whole.
  const double judging = recipe.stage == Stage::kSft ? 1 : 4.0 / 3;
  const double one_pass = recipe.full ? train::whole_training_gflop(shape, pass)
                                      : train::training_gflop(shape, adapter_options(recipe), pass);
  return passes * judging * one_pass;
}

std::uint64_t run_bytes(const Recipe& recipe, const train::Shape& shape, bool has_head) {
  // A checkpoint is put together in memory: parameters and optimizer, as numbers and as bytes.
  constexpr std::uint64_t kCheckpointCopies = 8;
  const train::AdapterOptions options = adapter_options(recipe);
  const std::size_t tokens = batch_tokens_max(recipe);
  const std::uint64_t trained = recipe.full ? train::parameter_count(shape, has_head)
                                            : train::parameter_count(shape, options);
  return kCheckpointCopies * sizeof(float) * trained +
         (recipe.full ? train::whole_training_bytes(shape, has_head, keep_of(recipe), tokens)
                      : train::training_bytes(shape, has_head, options, keep_of(recipe), tokens));
}

Result<> check_memory(const Recipe& recipe, const train::Shape& shape, bool has_head,
                      std::uint64_t bytes_max) {
  const std::uint64_t needed = run_bytes(recipe, shape, has_head);
  if (needed <= bytes_max) return {};
  return fail(ErrorCode::kResourceExhausted,
              format("train: this takes {} MiB of memory, and {} MiB may be used", needed >> 20,
                     bytes_max >> 20),
              "a smaller per_device_train_batch_size or cutoff_len, or "
              "disable_gradient_checkpointing = false, needs less; training.memory_max, or "
              "memory_max, allows more");
}

TrainingRun::TrainingRun(train::Gemm& gemm, const train::Weights& weights, const Recipe& recipe,
                         std::span<const Example> examples)
    : base_(weights),
      recipe_(recipe),
      examples_(examples),
      lengths_(lengths_of(examples)),
      learner_(gemm, weights, recipe),
      objective_(make_objective(learner_, recipe, examples)),
      optimizer_(optimizer_options(), train::size_of(learner_.parameters())),
      planned_epoch_(0),
      plan_(plan_of(0)) {
  LOAM_CHECK(!examples.empty());
  steps_before_ = steps_before_passes(recipe, lengths_);
  schedule_.steps = steps_of(recipe, steps_before_);
  schedule_.rate_max = recipe.learning_rate;
  schedule_.warmup_steps = static_cast<std::uint64_t>(
      std::ceil(recipe.warmup_ratio * static_cast<double>(schedule_.steps)));
}

double TrainingRun::gflop() const {
  train::Traffic pass;
  std::size_t texts = 0;
  for (const Example& example : examples_)
    for (const Text& text : example.texts) {
      pass.tokens += static_cast<double>(text.tokens.size());
      pass.learned += static_cast<double>(text.answer_tokens());
      ++texts;
    }
  pass.length = pass.tokens / static_cast<double>(texts);
  return run_gflop(recipe_, base_.shape, pass, steps_before_);
}

train::AdamWOptions TrainingRun::optimizer_options() const {
  return {.weight_decay = recipe_.weight_decay, .decayed = learner_.decayed()};
}

std::vector<BatchPlan> TrainingRun::plan_of(std::uint64_t epoch) const {
  return plan_pass(recipe_, lengths_, epoch);
}

TrainingRun::Place TrainingRun::place_of(std::uint64_t step) const {
  const auto after = std::ranges::upper_bound(steps_before_, step);
  const auto epoch = static_cast<std::size_t>(after - steps_before_.begin()) - 1;
  return {epoch, (step - steps_before_[epoch]) * recipe_.gradient_accumulation_steps};
}

Result<StepReport> TrainingRun::advance() {
  LOAM_CHECK(step_ < steps());
  const Place place = place_of(step_);
  if (place.epoch != planned_epoch_) {
    planned_epoch_ = place.epoch;
    plan_ = plan_of(place.epoch);
  }
  const std::span all(plan_);
  const auto batches = all.subspan(place.first_batch, std::min(recipe_.gradient_accumulation_steps,
                                                               all.size() - place.first_batch));
  StepReport report{.step = step_ + 1, .epoch = place.epoch, .rate = schedule_.rate(step_)};
  const train::Spans gradient = learner_.gradient();
  for (const std::span<float> part : gradient) std::ranges::fill(part, 0.0F);
  report.loss = objective_->accumulate(batches);
  for (const BatchPlan& batch : batches)
    for (const std::size_t i : batch) report.tokens += lengths_[i];
  report.gradient_norm = train::clip_to_norm(gradient, recipe_.max_grad_norm);
  if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm))
    return no_number(batches);
  optimizer_.step(learner_.parameters(), gradient, report.rate);
  ++step_;
  return report;
}

/// Names the records whose own loss is none, as far as there are; else it is their gradients.
std::unexpected<Error> TrainingRun::no_number(std::span<const BatchPlan> batches) {
  std::vector<std::size_t> all, guilty;
  for (const BatchPlan& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  for (const std::size_t i : all)
    if (guilty.size() <= kRecordsNamed && !objective_->is_finite(i)) guilty.push_back(i);
  const std::vector<std::size_t>& named = guilty.empty() ? all : guilty;
  std::string records;
  for (std::size_t k = 0; k < std::min(named.size(), kRecordsNamed); ++k)
    records += " " + examples_[named[k]].record;
  if (named.size() > kRecordsNamed) records += " ...";
  return fail(
      ErrorCode::kCorrupt,
      guilty.empty()
          ? format("train: step {}: the loss is no number any more; it was learning from{}",
                   step_ + 1, records)
          : format("train: step {}: the loss of{} is no number any more", step_ + 1, records),
      "start a new training with a lower learning_rate; the last checkpoint is as it was");
}

Checkpoint TrainingRun::checkpoint(const crypto::Digest& run) {
  Checkpoint out{.run = run, .step = step_, .parameters = {}, .optimizer = optimizer_.state()};
  for (const std::span<const float> part : learner_.parameters())
    out.parameters.insert(out.parameters.end(), part.begin(), part.end());
  return out;
}

Result<> TrainingRun::restore(const Checkpoint& checkpoint) {
  const train::Spans parameters = learner_.parameters();
  const std::size_t count = train::size_of(parameters);
  if (checkpoint.parameters.size() != count || checkpoint.optimizer.mean.size() != count ||
      checkpoint.step > steps())
    return fail(ErrorCode::kCorrupt, "continue a run: the checkpoint is of another shape");
  copy_in(checkpoint.parameters, parameters);
  optimizer_ = train::AdamW(optimizer_options(), checkpoint.optimizer);
  step_ = checkpoint.step;
  return {};
}

}  // namespace loam::tuning
