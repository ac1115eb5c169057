#include "api/errors.h"

#include <array>

#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

struct Row {
  ErrorCode error;
  int status;
  std::string_view type;
  std::string_view code;  // empty: null
  int retry_after_s;
  bool retry_is_futile;
};

constexpr std::array kTable = {
    Row{ErrorCode::kInvalidArgument, 400, "invalid_request_error", "", 0, false},
    Row{ErrorCode::kNotFound, 404, "not_found_error", "not_found", 0, false},
    Row{ErrorCode::kAlreadyExists, 409, "invalid_request_error", "already_exists", 0, true},
    Row{ErrorCode::kPermissionDenied, 403, "permission_error", "permission_denied", 0, false},
    Row{ErrorCode::kResourceExhausted, 429, "rate_limit_error", "rate_limit_exceeded", 1, false},
    Row{ErrorCode::kUnavailable, 503, "server_error", "unavailable", 1, false},
    Row{ErrorCode::kDeadlineExceeded, 504, "server_error", "deadline_exceeded", 0, true},
    Row{ErrorCode::kCorrupt, 500, "server_error", "corrupt", 0, true},
    Row{ErrorCode::kUnsupported, 400, "invalid_request_error", "unsupported", 0, false},
    Row{ErrorCode::kCancelled, 499, "server_error", "cancelled", 0, true},
    Row{ErrorCode::kInternal, 500, "server_error", "internal", 0, true},
};

const Row& row_of(ErrorCode code) {
  for (const Row& row : kTable)
    if (row.error == code) return row;
  return kTable.back();
}

struct StatusRow {
  int status;
  std::string_view type;
  std::string_view code;
};

constexpr std::array kStatuses = {
    StatusRow{401, "authentication_error", "invalid_api_key"},
    StatusRow{403, "permission_error", "permission_denied"},
    StatusRow{404, "not_found_error", "not_found"},
    StatusRow{405, "invalid_request_error", "method_not_allowed"},
    StatusRow{408, "invalid_request_error", "request_timeout"},
    StatusRow{413, "invalid_request_error", "request_too_large"},
    StatusRow{429, "rate_limit_error", "rate_limit_exceeded"},
    StatusRow{431, "invalid_request_error", "request_header_too_large"},
    StatusRow{500, "server_error", "internal"},
    StatusRow{503, "server_error", "unavailable"},
};

codec::Value text_or_null(const std::optional<std::string>& text) {
  return text ? codec::Value(*text) : codec::Value();
}

}  // namespace

ApiError::ApiError(const Error& error) {
  const Row& row = row_of(error.code);
  status = row.status;
  type = row.type;
  if (!row.code.empty()) code = row.code;
  message = error.hint.empty() ? error.message : format("{} ({})", error.message, error.hint);
  retry_after_s = row.retry_after_s;
  retry_is_futile = row.retry_is_futile;
  cause = error.code;
}

ApiError bad_field(std::string name, std::string_view problem) {
  ApiError error(Error{ErrorCode::kInvalidArgument, format("{}: {}", name, problem)});
  error.param = std::move(name);
  return error;
}

ApiError unsupported_field(std::string name, std::string_view problem) {
  ApiError error(Error{ErrorCode::kUnsupported, format("{}: {}", name, problem)});
  error.param = std::move(name);
  return error;
}

ApiError error_of_status(int status, std::string_view message) {
  ApiError error;
  error.status = status;
  error.type = status < 500 ? "invalid_request_error" : "server_error";
  error.message = message;
  for (const StatusRow& row : kStatuses) {
    if (row.status != status) continue;
    error.type = row.type;
    error.code = row.code;
  }
  if (status == 429 || status == 503) error.retry_after_s = 1;
  return error;
}

ApiError model_error(const Error& error) {
  ApiError out(error);
  if (error.code == ErrorCode::kNotFound) {
    out.code = "model_not_found";
    out.param = "model";
  } else if (error.code == ErrorCode::kInvalidArgument) {
    out.param = "model";
  } else if (error.code == ErrorCode::kResourceExhausted) {
    // No room in memory is the node's state, not the caller's rate.
    out.status = 503;
    out.type = "server_error";
    out.code = "no_room_for_model";
    out.retry_after_s = 5;
  }
  return out;
}

codec::Value error_body(const ApiError& error) {
  return codec::Object{{"message", error.message},
                       {"type", error.type},
                       {"param", text_or_null(error.param)},
                       {"code", text_or_null(error.code)}};
}

http::Response error_response(const ApiError& error) {
  http::Response response;
  response.status = error.status;
  response.headers.set("content-type", "application/json");
  if (error.retry_after_s > 0)
    response.headers.set("retry-after", format("{}", error.retry_after_s));
  if (error.retry_is_futile) response.headers.set("x-should-retry", "false");
  if (error.status == 401) response.headers.set("www-authenticate", "Bearer");
  response.body = codec::to_json(codec::Object{{"error", error_body(error)}});
  return response;
}

}  // namespace loam::api
