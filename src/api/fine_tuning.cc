// GET and POST /v1/fine_tuning/jobs, and below it {id}, cancel, pause, resume, events, checkpoints
#include <algorithm>

#include "api/context.h"
#include "api/fine_tuning_request.h"
#include "api/fine_tuning_values.h"
#include "api/pages.h"
#include "base/format.h"
#include "env/file.h"
#include "tuning/adoption.h"
#include "tuning/chat_rows.h"

namespace loam::api {
namespace {

using tuning::JobFolder;
using tuning::JobIntent;

constexpr std::int64_t kPageMax = 1000;
constexpr std::int64_t kPageDefault = 20;
constexpr int kNamesMax = 100;  // tried for one model

/// A job that was asked for over the API is its caller's; those of the command line are the
/// owner's.
bool is_of(const JobFolder& job, const Call& call) {
  const std::string& caller = job.spec().caller;
  return caller.empty() ? call.is_owner() : caller == call.caller.id;
}

ApiResult<JobFolder> job_of(Context& context, const Call& call) {
  auto job = context.services.training.open(call.request().params.at(0));
  if (job && is_of(*job, call)) return *std::move(job);
  if (!job && job.error().code != ErrorCode::kNotFound) return refuse(job.error());
  return refuse(ApiError(Error{ErrorCode::kNotFound, "fine-tuning job: none of yours has this id"})
                    .with_param("fine_tuning_job_id"));
}

ApiResult<> respond_job(Context& context, const Call& call, const JobFolder& job) {
  call.respond_json(200, LOAM_TRY(fine_tuning_job_value(job, context.services.clock)));
  return {};
}

ApiResult<catalog::Model> base_of(Context& context, const std::string& name) {
  auto model = context.services.catalog.find(name);
  if (!model) return refuse(model_error(model.error()));
  if (model->adapter)
    return refuse(unsupported_field(
        "model", format("{} has an adapter, and every training begins at a base", model->name)));
  return *std::move(model);
}

/// The caller's file, each line of which can be learned from.
ApiResult<pool::StoredFile> training_file(Context& context, const Call& call,
                                          const FineTuningRequest& wanted) {
  if (wanted.training_file.starts_with("dataset:"))
    return refuse(unsupported_field(
        "training_file", "data sets are learned from with: loam train start --data DIR"));
  auto file = context.services.files.find(call.caller.id, wanted.training_file);
  if (!file) return refuse(ApiError(file.error()).with_param("training_file"));
  const std::string content = LOAM_TRY(env::read_file(file->content, pool::kFilesBytesMax));
  const auto rows = tuning::check_chat_rows(content, wanted.recipe.stage);
  if (!rows) {
    Error error = rows.error();
    error.message = format("training_file: {}", error.message);
    return refuse(ApiError(error).with_param("training_file"));
  }
  return *std::move(file);
}

/// BASE-SUFFIX, or with a number behind it, so that neither a model nor a job has it yet.
ApiResult<std::string> free_model_name(Context& context, const catalog::Model& base,
                                       const std::string& suffix) {
  const std::string usual = tuning::default_name(base);
  const std::string wanted =
      suffix.empty() ? usual : usual.substr(0, usual.rfind('-') + 1) + suffix;
  const auto jobs = LOAM_TRY(context.services.training.list());
  for (int number = 1; number <= kNamesMax; ++number) {
    std::string name = number == 1 ? wanted : format("{}-{}", wanted, number);
    const auto free = tuning::free_name(context.services.catalog, name, "");
    if (!free && free.error().code != ErrorCode::kAlreadyExists)
      return refuse(ApiError(free.error()).with_param("suffix"));
    const bool asked =
        std::ranges::any_of(jobs, [&](const JobFolder& job) { return job.spec().name == name; });
    if (free && !asked) return name;
  }
  return refuse(bad_field("suffix", "is in use too often; choose another"));
}

ApiResult<> create(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  FineTuningRequest wanted = LOAM_TRY(parse_fine_tuning_request(body));
  const catalog::Model base = LOAM_TRY(base_of(context, wanted.model));
  const pool::StoredFile file = LOAM_TRY(training_file(context, call, wanted));
  tuning::JobSpec spec;
  spec.name = LOAM_TRY(free_model_name(context, base, wanted.suffix));
  spec.model = base.name;
  spec.model_sha256 = base.sha256;
  spec.private_source = {file.id, file.content};
  spec.rows_sha256 = file.sha256;
  spec.recipe = std::move(wanted.recipe);
  if (base.facts.context > 0)
    spec.recipe.cutoff_len = std::min<std::size_t>(spec.recipe.cutoff_len, base.facts.context);
  spec.threads = context.settings.training_threads;
  spec.caller = call.caller.id;
  spec.metadata = std::move(wanted.metadata);
  const JobFolder job = LOAM_TRY(context.services.training.add(std::move(spec)));
  return respond_job(context, call, job);
}

ApiResult<> list(Context& context, const Call& call) {
  const http::Request& request = call.request();
  const auto limit = LOAM_TRY(query_number(request, "limit", 1, kPageMax, kPageDefault));
  if (request.query.contains("metadata"))
    return refuse(
        unsupported_field("metadata", "a choice by metadata is not offered by this version"));
  codec::Array all;
  for (const JobFolder& job : LOAM_TRY(context.services.training.list()))
    if (is_of(job, call))
      // One that cannot be read does not hide the others.
      if (auto value = fine_tuning_job_value(job, context.services.clock))
        all.push_back(*std::move(value));
  call.respond_json(200, LOAM_TRY(page_of(std::move(all), request, limit)));
  return {};
}

ApiResult<> show(Context& context, const Call& call) {
  const JobFolder job = LOAM_TRY(job_of(context, call));
  return respond_job(context, call, job);
}

/// Says what is wanted of the job, which must not be over.
ApiResult<> want(Context& context, const Call& call, JobIntent intent) {
  const JobFolder job = LOAM_TRY(job_of(context, call));
  const auto state = LOAM_TRY(job.state());
  const std::string_view status = fine_tuning_status(job, state);
  ApiError problem(
      Error{ErrorCode::kInvalidArgument, format("{}: it is {}", job.spec().id, status)});
  if (is_over(status)) return refuse(std::move(problem).with_param("fine_tuning_job_id"));
  if (job.spec().caller.empty()) {
    problem.message =
        format("{}: it was made with loam train; so is it stopped and resumed", job.spec().id);
    return refuse(std::move(problem).with_param("fine_tuning_job_id"));
  }
  if (intent == JobIntent::kWork && job.intent() != JobIntent::kPause) {
    problem.message = format("{}: it does not pause", job.spec().id);
    return refuse(std::move(problem).with_param("fine_tuning_job_id"));
  }
  LOAM_TRY(context.services.training.set_intent(job, intent));
  return respond_job(context, call, job);
}

using PageSource = Result<codec::Array> (*)(const JobFolder& job);

ApiResult<> respond_page(Context& context, const Call& call, PageSource source) {
  const JobFolder job = LOAM_TRY(job_of(context, call));
  const auto limit = LOAM_TRY(query_number(call.request(), "limit", 1, kPageMax, kPageDefault));
  codec::Array all = LOAM_TRY(source(job));
  call.respond_json(200, LOAM_TRY(page_of(std::move(all), call.request(), limit)));
  return {};
}

}  // namespace

void add_fine_tuning_routes(Routes& routes, Context& context) {
  const std::string jobs = "/v1/fine_tuning/jobs";
  const std::string one = jobs + "/{id}";
  routes.add(http::Method::kGet, jobs, Need::kAdmin,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kPost, jobs, Need::kAdmin,
             [&context](const Call& call) { return create(context, call); });
  routes.add(http::Method::kGet, one, Need::kAdmin,
             [&context](const Call& call) { return show(context, call); });
  const auto add_intent = [&](std::string_view verb, JobIntent intent) {
    routes.add(http::Method::kPost, format("{}/{}", one, verb), Need::kAdmin,
               [&context, intent](const Call& call) { return want(context, call, intent); });
  };
  add_intent("cancel", JobIntent::kCancel);
  add_intent("pause", JobIntent::kPause);
  add_intent("resume", JobIntent::kWork);
  const auto add_page = [&](std::string_view what, PageSource source) {
    routes.add(
        http::Method::kGet, format("{}/{}", one, what), Need::kAdmin,
        [&context, source](const Call& call) { return respond_page(context, call, source); });
  };
  add_page("events", fine_tuning_events);
  add_page("checkpoints", fine_tuning_checkpoints);
}

}  // namespace loam::api
