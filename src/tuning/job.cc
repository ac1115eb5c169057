#include "tuning/job.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "codec/json.h"
#include "codec/members.h"
#include "dataset/layout.h"
#include "env/file.h"
#include "tuning/view_rows.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kIntentBytesMax = 64;
constexpr std::array<std::string_view, 5> kStatuses = {"queued", "running", "stopped", "failed",
                                                       "succeeded"};
constexpr std::array<std::string_view, 3> kIntents = {"work", "pause", "cancel"};

Result<codec::Value> read_json(const env::Path& file) {
  const std::string text = LOAM_TRY(env::read_file(file, kFileBytesMax));
  auto value = codec::parse_json(text);
  if (!value)
    return fail(ErrorCode::kCorrupt, format("{}: {}", file.string(), value.error().message),
                "start the training again");
  return value;
}

codec::Value spec_value(const JobSpec& spec) {
  codec::Object out{{"id", spec.id},
                    {"name", spec.name},
                    {"model", spec.model},
                    {"model_sha256", crypto::digest_hex(spec.model_sha256)}};
  if (spec.private_source) {
    out.emplace_back("private_file", codec::Object{{"id", spec.private_source->id},
                                                   {"path", spec.private_source->file.string()}});
  } else {
    out.emplace_back("data_set", spec.data_set.string());
    out.emplace_back("data_set_root", crypto::digest_hex(spec.data_set_root));
  }
  out.emplace_back("rows_sha256", crypto::digest_hex(spec.rows_sha256));
  out.emplace_back("threads", static_cast<std::int64_t>(spec.threads));
  out.emplace_back("created_ms", spec.created_ms);
  if (spec.caller.empty()) return out;
  codec::Object metadata;
  for (const auto& [key, value] : spec.metadata) metadata.emplace_back(key, value);
  out.emplace_back("caller", spec.caller);
  out.emplace_back("metadata", std::move(metadata));
  return out;
}

Result<> read_source(const codec::Value& value, JobSpec& out) {
  if (const codec::Value* file = value.find("private_file")) {
    out.private_source = {text_at(*file, "id"), text_at(*file, "path")};
    return {};
  }
  out.data_set = text_at(value, "data_set");
  out.data_set_root = LOAM_TRY(crypto::parse_digest(text_at(value, "data_set_root")));
  return {};
}

Result<JobSpec> read_spec(const env::Path& folder) {
  const codec::Value value = LOAM_TRY(read_json(folder / "job.json"));
  JobSpec out;
  out.id = text_at(value, "id");
  out.name = text_at(value, "name");
  out.model = text_at(value, "model");
  out.model_sha256 = LOAM_TRY(crypto::parse_digest(text_at(value, "model_sha256")));
  LOAM_TRY(read_source(value, out));
  out.rows_sha256 = LOAM_TRY(crypto::parse_digest(text_at(value, "rows_sha256")));
  out.threads = std::max<std::size_t>(count_at(value, "threads"), 1);
  out.created_ms = integer_at(value, "created_ms");
  out.caller = text_at(value, "caller");
  const codec::Value* const metadata = value.find("metadata");
  if (metadata != nullptr && metadata->as_object() != nullptr)
    for (const auto& [key, text] : *metadata->as_object())
      if (text.as_string() != nullptr) out.metadata.emplace_back(key, *text.as_string());
  const env::Path recipe = folder / "recipe.toml";
  const std::string text = LOAM_TRY(env::read_file(recipe, kFileBytesMax));
  out.recipe = LOAM_TRY(parse_recipe(text, recipe.string()));
  return out;
}

ErrorCode error_code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
    if (error_code_name(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  return ErrorCode::kInternal;
}

codec::Value error_value(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return codec::Object{{"code", std::string(error_code_name(error->code))},
                       {"message", error->message},
                       {"hint", error->hint}};
}

}  // namespace

std::string_view job_status_name(JobStatus status) {
  return kStatuses.at(std::to_underlying(status));
}

env::Path JobSpec::rows() const {
  return private_source ? private_source->file
                        : data_set / dataset::view_file(view_of(recipe.stage));
}

crypto::Digest JobSpec::source() const { return private_source ? rows_sha256 : data_set_root; }

env::Path jobs_folder(const env::Path& data) { return data / "training"; }

Result<JobFolder> JobFolder::create(const env::Path& jobs, const JobSpec& spec) {
  LOAM_TRY(env::make_folder(jobs));
  const env::Path path = jobs / spec.id;
  if (env::stamp(path))
    return fail(ErrorCode::kAlreadyExists, format("make job {}: it is there already", spec.id));
  LOAM_TRY(env::make_folder(path));
  LOAM_TRY(env::set_permissions(path, 0700));
  LOAM_TRY(env::write_file_atomic(path / "recipe.toml", to_toml(spec.recipe), 0600));
  JobFolder out(path, spec);
  JobState state;
  state.updated_ms = spec.created_ms;
  LOAM_TRY(out.set_state(state));
  // Last: a folder without it is no job.
  LOAM_TRY(
      env::write_file_atomic(path / "job.json", codec::to_json(spec_value(spec), 2) + "\n", 0600));
  return out;
}

Result<JobFolder> JobFolder::open(const env::Path& jobs, std::string_view id) {
  const bool plain = !id.empty() && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  const env::Path path = jobs / id;
  if (!plain || !env::stamp(path / "job.json"))
    return fail(ErrorCode::kNotFound, format("training {}: there is none", id), "loam train ls");
  return JobFolder(path, LOAM_TRY(read_spec(path)));
}

Result<std::vector<JobFolder>> JobFolder::list(const env::Path& jobs) {
  const auto names = LOAM_TRY(env::names_if_there(jobs));
  std::vector<JobFolder> out;
  for (const std::string& name : names)
    if (auto job = open(jobs, name)) out.push_back(*std::move(job));
  std::ranges::sort(out, [](const JobFolder& a, const JobFolder& b) {
    return std::pair(b.spec().created_ms, b.spec().id) <
           std::pair(a.spec().created_ms, a.spec().id);
  });
  return out;
}

Result<JobState> JobFolder::written_state() const {
  const codec::Value value = LOAM_TRY(read_json(path_ / "state.json"));
  JobState out;
  const auto status = std::ranges::find(kStatuses, text_at(value, "status"));
  if (status == kStatuses.end())
    return fail(ErrorCode::kCorrupt, format("{}: no status", (path_ / "state.json").string()));
  out.status = static_cast<JobStatus>(status - kStatuses.begin());
  out.doing = text_at(value, "doing");
  out.step = count_at(value, "step");
  out.steps = count_at(value, "steps");
  out.loss = number_at(value, "loss");
  out.tokens_per_s = number_at(value, "tokens_per_s");
  out.seconds_left = number_at(value, "seconds_left");
  out.examples = count_at(value, "examples");
  out.too_long = count_at(value, "too_long");
  out.no_template = count_at(value, "no_template");
  out.adopted = text_at(value, "adopted");
  if (const codec::Value* error = value.find("error"); error != nullptr && !error->is_null())
    out.error = Error{error_code_of(text_at(*error, "code")), text_at(*error, "message"),
                      text_at(*error, "hint")};
  out.updated_ms = integer_at(value, "updated_ms");
  return out;
}

Result<JobState> JobFolder::state() const {
  const bool held = holder().has_value();  // before the state: what it writes last is then seen
  JobState out = LOAM_TRY(written_state());
  if (held || out.status != JobStatus::kRunning) return out;
  if (holder()) return out;  // it began meanwhile
  out.status = JobStatus::kFailed;
  out.doing.clear();
  out.error = Error{ErrorCode::kUnavailable,
                    format("train {}: its process ended without a word, as one does that is killed "
                           "or finds no memory",
                           spec_.id),
                    format("loam train resume {} goes on from the last checkpoint; {} is what it "
                           "said",
                           spec_.id, output().string())};
  return out;
}

Result<> JobFolder::set_state(const JobState& state) const {
  const codec::Value value = codec::Object{{"status", std::string(job_status_name(state.status))},
                                           {"doing", state.doing},
                                           {"step", state.step},
                                           {"steps", state.steps},
                                           {"loss", state.loss},
                                           {"tokens_per_s", state.tokens_per_s},
                                           {"seconds_left", state.seconds_left},
                                           {"examples", state.examples},
                                           {"too_long", state.too_long},
                                           {"no_template", state.no_template},
                                           {"adopted", state.adopted},
                                           {"error", error_value(state.error)},
                                           {"updated_ms", state.updated_ms}};
  return env::write_file_atomic(path_ / "state.json", codec::to_json(value, 2) + "\n", 0600);
}

JobIntent JobFolder::intent() const {
  const auto text = env::read_file(path_ / "intent", kIntentBytesMax);
  if (!text) return JobIntent::kWork;
  const auto found = std::ranges::find(kIntents, trim(*text));
  return found == kIntents.end() ? JobIntent::kWork
                                 : static_cast<JobIntent>(found - kIntents.begin());
}

Result<> JobFolder::set_intent(JobIntent intent) const {
  return env::write_file_atomic(path_ / "intent",
                                format("{}\n", kIntents.at(std::to_underlying(intent))), 0600);
}

Result<bool> JobFolder::queue_if_vanished() const {
  JobState now = LOAM_TRY(written_state());
  if (now.status != JobStatus::kRunning || holder()) return false;
  now.status = JobStatus::kQueued;
  now.doing.clear();
  LOAM_TRY(set_state(now));
  return true;
}

std::optional<std::int64_t> JobFolder::holder() const {
  return env::FileLock::holder(path_ / "lock");
}

Result<env::FileLock> JobFolder::lock() const { return env::FileLock::acquire(path_ / "lock"); }

}  // namespace loam::tuning
