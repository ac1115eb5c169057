// What a client is told when a request fails: one table from our error codes to HTTP.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "codec/value.h"
#include "http/message.h"

namespace loam::api {

/// A failure in the terms of the API. Its message never holds a prompt, an answer or a key.
struct ApiError {
  int status = 500;
  std::string type = "server_error";
  std::optional<std::string> code;
  std::string message;
  std::optional<std::string> param;  // the field that is wrong, e.g. "messages[0].content"
  int retry_after_s = 0;             // > 0: sent as retry-after
  bool retry_is_futile = false;      // tells clients that retry a 5xx by themselves not to
  std::optional<ErrorCode> cause;    // that of the error it was made of, if it was; not sent

  ApiError() = default;
  /// By the table; the hint becomes part of the message.
  ApiError(const Error& error);  // NOLINT(google-explicit-constructor): so that LOAM_TRY converts

  ApiError with_param(std::string name) && {
    param = std::move(name);
    return std::move(*this);
  }
};

/// A value or an ApiError; LOAM_TRY works on it, and on a Result inside a function that returns it.
template <class T = void>
class [[nodiscard]] ApiResult : public std::expected<T, ApiError> {
 public:
  using std::expected<T, ApiError>::expected;
};

inline std::unexpected<ApiError> refuse(ApiError error) {
  return std::unexpected<ApiError>(std::move(error));
}

/// 400 naming the field that is wrong; `problem` reads on from its name: "must be a number".
ApiError bad_field(std::string name, std::string_view problem);
/// 400 for a field that is understood and not offered.
ApiError unsupported_field(std::string name, std::string_view problem);
/// A failure that the HTTP layer or the router found.
ApiError error_of_status(int status, std::string_view message);
/// 404 for a model; `error` is what the catalogue says.
ApiError model_error(const Error& error);

/// {"message", "type", "param", "code"}: all four always.
codec::Value error_body(const ApiError& error);
/// The whole reply, with its headers.
http::Response error_response(const ApiError& error);

}  // namespace loam::api
