// GET and POST /v1/files, GET and DELETE /v1/files/{id}, GET /v1/files/{id}/content
#include <algorithm>
#include <array>

#include "api/context.h"
#include "api/fine_tuning_values.h"
#include "api/pages.h"
#include "api/request_fields.h"
#include "base/format.h"
#include "http/multipart.h"

namespace loam::api {
namespace {

constexpr std::string_view kPurpose = "fine-tune";
constexpr std::array<std::string_view, 5> kOtherPurposes = {"assistants", "batch", "vision",
                                                            "user_data", "evals"};
constexpr std::size_t kFilenameBytesMax = 255;
constexpr std::int64_t kListMax = 10'000;

codec::Value file_value(const pool::StoredFile& file) {
  return codec::Object{{"id", file.id},
                       {"object", "file"},
                       {"bytes", file.bytes},
                       {"created_at", file.created_ms / 1000},
                       {"filename", file.filename},
                       {"purpose", file.purpose},
                       {"status", "processed"}};
}

struct Upload {
  std::string filename;
  std::string purpose;
  std::string_view content;
};

ApiResult<> check_purpose(std::string_view purpose) {
  if (purpose == kPurpose) return {};
  if (std::ranges::find(kOtherPurposes, purpose) != kOtherPurposes.end())
    return refuse(unsupported_field(
        "purpose", format("{} is not offered by this version; fine-tune is", purpose)));
  return refuse(bad_field("purpose", "must be \"fine-tune\""));
}

ApiResult<Upload> read_upload(const http::Request& request) {
  const std::string* type = request.headers.find("content-type");
  const auto parts = http::parse_multipart(type == nullptr ? "" : *type, request.body);
  if (!parts) {
    ApiError error(parts.error());
    error.status = 400;
    error.type = "invalid_request_error";
    error.code = std::nullopt;
    return refuse(std::move(error));
  }
  const http::Part* file = nullptr;
  const http::Part* purpose = nullptr;
  for (const http::Part& part : *parts) {
    if (part.name.starts_with("expires_after"))
      return refuse(unsupported_field("expires_after",
                                      "files that expire by themselves are not offered by this "
                                      "version; delete the file when it is no longer needed"));
    const http::Part** place = part.name == "file"      ? &file
                               : part.name == "purpose" ? &purpose
                                                        : nullptr;
    if (place == nullptr) continue;
    if (*place != nullptr) return refuse(bad_field(part.name, "must be there once"));
    *place = &part;
  }
  if (purpose == nullptr) return refuse(bad_field("purpose", "is missing; it must be a field"));
  LOAM_TRY(check_purpose(purpose->content));
  if (file == nullptr) return refuse(bad_field("file", "is missing; it must be a file"));
  if (file->content.empty()) return refuse(bad_field("file", "must not be empty"));
  Upload out{file->filename.value_or(""), std::string(purpose->content), file->content};
  if (out.filename.empty()) out.filename = "file";
  if (out.filename.size() > kFilenameBytesMax)
    return refuse(
        bad_field("file", format("its name must be at most {} bytes long", kFilenameBytesMax)));
  return out;
}

ApiResult<> upload(Context& context, const Call& call) {
  const Upload wanted = LOAM_TRY(read_upload(call.request()));
  const auto added =
      context.services.files.add(call.caller.id, wanted.filename, wanted.purpose, wanted.content);
  if (!added) {
    ApiError error(added.error());
    if (added.error().code == ErrorCode::kResourceExhausted) {
      // Trying again is of no use until something is deleted, and clients do that with a 429.
      error.status = 413;
      error.type = "invalid_request_error";
      error.code = "no_room_for_file";
      error.retry_after_s = 0;
    }
    return refuse(std::move(error));
  }
  call.respond_json(200, file_value(*added));
  return {};
}

ApiResult<> list(Context& context, const Call& call) {
  const http::Request& request = call.request();
  const std::int64_t limit = LOAM_TRY(query_number(request, "limit", 1, kListMax, kListMax));
  const std::string order = request.query_param("order").value_or("desc");
  if (order != "asc" && order != "desc") return refuse(bad_field("order", "must be asc or desc"));
  auto files = LOAM_TRY(context.services.files.list(call.caller.id));
  if (const auto purpose = request.query_param("purpose"))
    std::erase_if(files, [&](const pool::StoredFile& file) { return file.purpose != *purpose; });
  if (order == "asc") std::ranges::reverse(files);
  codec::Array all;
  for (const pool::StoredFile& file : files) all.push_back(file_value(file));
  codec::Value page = LOAM_TRY(page_of(std::move(all), request, limit));
  // OpenAI's description allows no null here.
  for (const char* name : {"first_id", "last_id"})
    if (page.find(name)->is_null()) page.set(name, "");
  call.respond_json(200, page);
  return {};
}

ApiResult<pool::StoredFile> file_of(Context& context, const Call& call) {
  auto file = context.services.files.find(call.caller.id, call.request().params.at(0));
  if (!file) return refuse(ApiError(file.error()).with_param("file_id"));
  return *std::move(file);
}

ApiResult<> show(Context& context, const Call& call) {
  const pool::StoredFile file = LOAM_TRY(file_of(context, call));
  call.respond_json(200, file_value(file));
  return {};
}

ApiResult<> content(Context& context, const Call& call) {
  const pool::StoredFile file = LOAM_TRY(file_of(context, call));
  http::Response response;
  response.headers.set("content-type", "application/octet-stream");
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("cache-control", "no-store");
  response.file =
      http::FilePart{std::make_shared<const env::Fd>(LOAM_TRY(env::open_read(file.content))),
                     file.content, 0, file.bytes};
  call.exchange->respond(std::move(response));
  return {};
}

ApiResult<> remove(Context& context, const Call& call) {
  const pool::StoredFile file = LOAM_TRY(file_of(context, call));
  if (const auto job = LOAM_TRY(job_that_needs(context, file.id))) {
    ApiError error(Error{ErrorCode::kAlreadyExists,
                         format("delete {}: {} is learning from it", file.id, *job),
                         "cancel that job first, or wait for its end"});
    error.code = "file_in_use";
    return refuse(std::move(error));
  }
  LOAM_TRY(context.services.files.remove(call.caller.id, file.id));
  call.respond_json(200, codec::Object{{"id", file.id}, {"object", "file"}, {"deleted", true}});
  return {};
}

}  // namespace

void add_file_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/v1/files", Need::kAdmin,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kPost, "/v1/files", Need::kAdmin,
             [&context](const Call& call) { return upload(context, call); });
  routes.add(http::Method::kGet, "/v1/files/{id}", Need::kAdmin,
             [&context](const Call& call) { return show(context, call); });
  routes.add(http::Method::kDelete, "/v1/files/{id}", Need::kAdmin,
             [&context](const Call& call) { return remove(context, call); });
  routes.add(http::Method::kGet, "/v1/files/{id}/content", Need::kAdmin,
             [&context](const Call& call) { return content(context, call); });
}

}  // namespace loam::api
