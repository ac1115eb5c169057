#include "api/request_fields.h"

#include <cmath>

#include "base/format.h"
#include "base/parse.h"
#include "codec/json.h"

namespace loam::api {
namespace {

constexpr double kExactIntegerMax = 9007199254740992.0;  // 2^53: doubles count by ones below it
constexpr std::int64_t kKeepAliveSecondsMax = 10LL * 365 * 24 * 3600;  // chosen: ten years

std::string range_text(std::int64_t min, std::int64_t max) {
  if (max == INT64_MAX) return format("must be a whole number of at least {}", min);
  return format("must be a whole number from {} to {}", min, max);
}

}  // namespace

ApiResult<Fields> Fields::of(const codec::Value& object, std::string path) {
  if (object.as_object() == nullptr) {
    if (path.empty())
      return refuse(Error{ErrorCode::kInvalidArgument, "the body must be a JSON object"});
    return refuse(bad_field(std::move(path), "must be an object"));
  }
  return Fields(object, std::move(path));
}

const codec::Value* Fields::raw(std::string_view name) const {
  const codec::Value* value = object_->find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Fields::full_name(std::string_view name) const {
  return path_.empty() ? std::string(name) : format("{}.{}", path_, name);
}

ApiResult<std::optional<bool>> Fields::boolean(std::string_view name) const {
  const codec::Value* value = raw(name);
  if (value == nullptr) return std::optional<bool>();
  if (const bool* flag = value->as_bool()) return std::optional<bool>(*flag);
  return refuse(bad_field(full_name(name), "must be true or false"));
}

ApiResult<std::optional<std::int64_t>> Fields::integer(std::string_view name, std::int64_t min,
                                                       std::int64_t max) const {
  const codec::Value* value = raw(name);
  if (value == nullptr) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(LOAM_TRY(whole_number(*value, full_name(name), min, max)));
}

ApiResult<std::optional<double>> Fields::number(std::string_view name, double min,
                                                double max) const {
  const codec::Value* value = raw(name);
  if (value == nullptr) return std::optional<double>();
  if (value->is_number()) {
    const double number = value->number();
    if (number >= min && number <= max) return std::optional<double>(number);
  }
  return refuse(bad_field(full_name(name), format("must be a number from {} to {}", min, max)));
}

ApiResult<std::optional<std::string>> Fields::text(std::string_view name,
                                                   std::size_t bytes_max) const {
  const codec::Value* value = raw(name);
  if (value == nullptr) return std::optional<std::string>();
  const std::string* text = value->as_string();
  if (text == nullptr) return refuse(bad_field(full_name(name), "must be a string"));
  if (text->size() > bytes_max)
    return refuse(bad_field(full_name(name), format("must be at most {} bytes long", bytes_max)));
  return std::optional<std::string>(*text);
}

ApiResult<std::string> Fields::required_text(std::string_view name, std::size_t bytes_max) const {
  auto value = LOAM_TRY(text(name, bytes_max));
  if (!value) return refuse(bad_field(full_name(name), "is missing; it must be a string"));
  if (value->empty()) return refuse(bad_field(full_name(name), "must not be empty"));
  return *std::move(value);
}

ApiResult<codec::Value> parse_object(std::string_view body) {
  if (trim(body).empty())
    return refuse(Error{ErrorCode::kInvalidArgument, "the body is empty; send a JSON object"});
  auto value = codec::parse_json(body);
  if (!value) {
    ApiError error(value.error());
    if (value.error().code == ErrorCode::kResourceExhausted)
      error = error_of_status(413, value.error().message);
    error.message = format("read the body as JSON: {}", error.message);
    return refuse(std::move(error));
  }
  LOAM_TRY(Fields::of(*value));
  return *std::move(value);
}

ApiResult<std::int64_t> whole_number(const codec::Value& value, std::string name, std::int64_t min,
                                     std::int64_t max) {
  std::optional<std::int64_t> number;
  if (const std::int64_t* integer = value.as_int()) {
    number = *integer;
  } else if (const double* real = value.as_double()) {
    if (std::abs(*real) <= kExactIntegerMax && std::trunc(*real) == *real)
      number = static_cast<std::int64_t>(*real);
  }
  if (!number || *number < min || *number > max)
    return refuse(bad_field(std::move(name), range_text(min, max)));
  return *number;
}

ApiResult<std::optional<std::int64_t>> read_keep_alive(const Fields& fields) {
  const codec::Value* value = fields.raw("keep_alive");
  if (value == nullptr) return std::optional<std::int64_t>();
  if (const std::string* text = value->as_string()) {
    const auto seconds = parse_duration_s(*text);
    if (!seconds || *seconds > kKeepAliveSecondsMax)
      return refuse(bad_field(fields.full_name("keep_alive"),
                              "must be seconds, or text such as \"5m\"; -1 is for ever"));
    return std::optional<std::int64_t>(*seconds);
  }
  return std::optional<std::int64_t>(
      LOAM_TRY(whole_number(*value, fields.full_name("keep_alive"), -1, kKeepAliveSecondsMax)));
}

ApiResult<std::int64_t> query_number(const http::Request& request, std::string_view name,
                                     std::int64_t min, std::int64_t max, std::int64_t fallback) {
  const auto text = request.query_param(name);
  if (!text) return fallback;
  const auto number = parse_int(*text);
  if (!number || *number < min || *number > max)
    return refuse(
        bad_field(std::string(name), format("must be a whole number from {} to {}", min, max)));
  return *number;
}

}  // namespace loam::api
