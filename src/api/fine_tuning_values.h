// Training jobs as OpenAI's clients know them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/context.h"
#include "tuning/job.h"

namespace loam::api {

/// "queued", "running", "succeeded", "failed" or "cancelled". A job that pauses is queued; one
/// whose adapter has not become a model yet is running.
std::string_view fine_tuning_status(const tuning::JobFolder& job, const tuning::JobState& state);
/// Whether nothing will happen to a job of that status.
bool is_over(std::string_view status);

/// The job itself. @error  its files cannot be read.
Result<codec::Value> fine_tuning_job_value(const tuning::JobFolder& job, env::Clock& clock);
/// What happened so far, the newest first. A log of a run holds no times, so steps have that at
/// which the job last said something.
Result<codec::Array> fine_tuning_events(const tuning::JobFolder& job);
/// The state at the end, once a model was made of it: those on the way are no models.
Result<codec::Array> fine_tuning_checkpoints(const tuning::JobFolder& job);

/// The id of a job that is not over and learns from this file.
Result<std::optional<std::string>> job_that_needs(Context& context, std::string_view file_id);

}  // namespace loam::api
