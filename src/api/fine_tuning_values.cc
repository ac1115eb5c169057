#include "api/fine_tuning_values.h"

#include <algorithm>

#include "api/fine_tuning_request.h"
#include "base/format.h"
#include "tuning/train_log.h"

namespace loam::api {
namespace {

using tuning::JobFolder;
using tuning::JobIntent;
using tuning::JobSpec;
using tuning::JobState;
using tuning::JobStatus;

codec::Value text_or_null(const std::string& text) {
  return text.empty() ? codec::Value() : codec::Value(text);
}

std::string training_file_of(const JobSpec& spec) {
  return spec.private_source ? spec.private_source->id
                             : "dataset:" + crypto::digest_hex(spec.data_set_root);
}

codec::Value error_value(const JobState& state, std::string_view status) {
  if (status != "failed") return nullptr;
  const Error error = state.error.value_or(Error{ErrorCode::kInternal, "no reason was written"});
  ApiError said(error);
  return codec::Object{{"code", std::string(error_code_name(error.code))},
                       {"message", said.message},
                       {"param", nullptr}};
}

Result<codec::Value> trained_tokens(const JobFolder& job, std::string_view status) {
  if (status != "succeeded") return codec::Value();
  std::uint64_t tokens = 0;
  for (const tuning::StepReport& step : LOAM_TRY(tuning::read_train_log(job.log())))
    tokens += step.tokens;
  return codec::Value(tokens);
}

codec::Value event_value(const JobSpec& spec, std::string_view name, std::int64_t at_ms,
                         std::string_view level, std::string message) {
  return codec::Object{{"id", format("ftevent-{}-{}", spec.id.substr(spec.id.find('-') + 1), name)},
                       {"object", "fine_tuning.job.event"},
                       {"created_at", at_ms / 1000},
                       {"level", level},
                       {"message", std::move(message)},
                       {"type", "message"}};
}

codec::Value step_event(const JobSpec& spec, const JobState& state,
                        const tuning::StepReport& step) {
  codec::Value out =
      event_value(spec, format("step-{}", step.step), state.updated_ms, "info",
                  format("Step {}/{}: training loss={:.4f}", step.step, state.steps, step.loss));
  out.set("type", "metrics");
  out.set("data", codec::Object{{"step", step.step},
                                {"total_steps", state.steps},
                                {"train_loss", step.loss},
                                {"learning_rate", step.rate},
                                {"tokens", std::uint64_t{step.tokens}}});
  return out;
}

/// How it ended, if it did, or why it waits.
std::optional<codec::Value> last_event(const JobFolder& job, const JobState& state,
                                       std::string_view status) {
  const JobSpec& spec = job.spec();
  const auto event = [&](std::string_view level, std::string message) {
    return event_value(spec, "end", state.updated_ms, level, std::move(message));
  };
  if (status == "succeeded") return event("info", "New fine-tuned model created: " + state.adopted);
  if (status == "cancelled") return event("info", "The job was cancelled");
  if (status == "failed") return event("error", ApiError(state.error.value_or(Error{})).message);
  if (job.intent() == JobIntent::kPause)
    return event_value(spec, "pause", state.updated_ms, "info", "The job pauses");
  return std::nullopt;
}

}  // namespace

std::string_view fine_tuning_status(const JobFolder& job, const JobState& state) {
  // Of the command line's own jobs nobody makes a model by itself.
  const bool by_itself = !job.spec().caller.empty();
  const JobIntent intent = job.intent();
  if (state.status == JobStatus::kSucceeded && (!state.adopted.empty() || !by_itself))
    return "succeeded";
  if (state.status == JobStatus::kFailed) return "failed";
  if (intent == JobIntent::kCancel) return "cancelled";
  switch (state.status) {
    case JobStatus::kQueued:
    case JobStatus::kStopped: return "queued";
    case JobStatus::kSucceeded: return state.error ? "failed" : "running";
    case JobStatus::kRunning:
    case JobStatus::kFailed: break;
  }
  return "running";
}

bool is_over(std::string_view status) {
  return status == "succeeded" || status == "failed" || status == "cancelled";
}

Result<codec::Value> fine_tuning_job_value(const JobFolder& job, env::Clock& clock) {
  const JobSpec& spec = job.spec();
  const JobState state = LOAM_TRY(job.state());
  const std::string_view status = fine_tuning_status(job, state);
  codec::Value tokens = LOAM_TRY(trained_tokens(job, status));
  codec::Value made, finished, expected;  // null until they are known
  if (status == "succeeded") made = text_or_null(state.adopted);
  if (is_over(status)) finished = state.updated_ms / 1000;
  if (status == "running" && state.steps > 0)
    expected = clock.wall_ms() / 1000 + static_cast<std::int64_t>(state.seconds_left);
  codec::Value out = codec::Object{{"id", spec.id},
                                   {"object", "fine_tuning.job"},
                                   {"created_at", spec.created_ms / 1000},
                                   {"error", error_value(state, status)},
                                   {"fine_tuned_model", std::move(made)},
                                   {"finished_at", std::move(finished)},
                                   {"hyperparameters", hyperparameters_value(spec.recipe)},
                                   {"model", spec.model},
                                   {"organization_id", "local"},
                                   {"result_files", codec::Array{}},
                                   {"status", status},
                                   {"trained_tokens", std::move(tokens)},
                                   {"training_file", training_file_of(spec)},
                                   {"validation_file", nullptr},
                                   {"integrations", codec::Array{}},
                                   {"seed", spec.recipe.seed}};
  out.set("estimated_finish", std::move(expected));
  if (spec.recipe.stage != tuning::Stage::kKto) out.set("method", method_value(spec.recipe));
  codec::Object metadata;
  for (const auto& [key, value] : spec.metadata) metadata.emplace_back(key, value);
  out.set("metadata", std::move(metadata));
  return out;
}

Result<codec::Array> fine_tuning_events(const JobFolder& job) {
  const JobSpec& spec = job.spec();
  const JobState state = LOAM_TRY(job.state());
  codec::Array out;
  out.push_back(event_value(spec, "created", spec.created_ms, "info",
                            format("Created fine-tuning job: {}", spec.id)));
  if (state.examples > 0) {
    const std::uint64_t left_out = state.too_long + state.no_template;
    out.push_back(event_value(
        spec, "examples", state.updated_ms, left_out > 0 ? "warn" : "info",
        format("{} examples are learned from; left out: {} longer than {} tokens, {} not for the "
               "model's chat template",
               state.examples, state.too_long, spec.recipe.cutoff_len, state.no_template)));
  }
  for (const tuning::StepReport& step : LOAM_TRY(tuning::read_train_log(job.log())))
    out.push_back(step_event(spec, state, step));
  if (auto last = last_event(job, state, fine_tuning_status(job, state)))
    out.push_back(*std::move(last));
  std::ranges::reverse(out);
  return out;
}

Result<codec::Array> fine_tuning_checkpoints(const JobFolder& job) {
  const JobSpec& spec = job.spec();
  const JobState state = LOAM_TRY(job.state());
  codec::Array out;
  if (state.adopted.empty()) return out;
  out.emplace_back(
      codec::Object{{"id", format("ftckpt-{}", spec.id.substr(spec.id.find('-') + 1))},
                    {"object", "fine_tuning.job.checkpoint"},
                    {"created_at", state.updated_ms / 1000},
                    {"fine_tuned_model_checkpoint", state.adopted},
                    {"step_number", state.step},
                    {"fine_tuning_job_id", spec.id},
                    {"metrics", codec::Object{{"step", state.step}, {"train_loss", state.loss}}}});
  return out;
}

Result<std::optional<std::string>> job_that_needs(Context& context, std::string_view file_id) {
  for (const JobFolder& job : LOAM_TRY(context.services.training.list())) {
    if (!job.spec().private_source || job.spec().private_source->id != file_id) continue;
    const auto state = job.state();
    if (state && (job.holder() || !is_over(fine_tuning_status(job, *state))))
      return std::optional(job.spec().id);
  }
  return std::optional<std::string>();
}

}  // namespace loam::api
