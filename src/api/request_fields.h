// Typed reading of a JSON object's fields, with errors that name the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/errors.h"
#include "codec/value.h"

namespace loam::api {

/// The fields of one JSON object. Absent and null are the same: empty.
class Fields {
 public:
  /// `object` must outlive this. `path` goes before the names in errors: "messages[0]".
  /// @error 400 if it is no object.
  static ApiResult<Fields> of(const codec::Value& object, std::string path = {});

  /// The field as it is; nullptr if absent or null.
  const codec::Value* raw(std::string_view name) const;
  bool has(std::string_view name) const { return raw(name) != nullptr; }
  /// The field's name with the path before it, for errors.
  std::string full_name(std::string_view name) const;

  ApiResult<std::optional<bool>> boolean(std::string_view name) const;
  /// A whole number within [min, max]; 5.0 counts as whole.
  ApiResult<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t min,
                                                 std::int64_t max) const;
  ApiResult<std::optional<double>> number(std::string_view name, double min, double max) const;
  ApiResult<std::optional<std::string>> text(std::string_view name, std::size_t bytes_max) const;
  /// As text(), but it must be there and not empty.
  ApiResult<std::string> required_text(std::string_view name, std::size_t bytes_max) const;

 private:
  Fields(const codec::Value& object, std::string path) : object_(&object), path_(std::move(path)) {}
  const codec::Value* object_;
  std::string path_;
};

/// `body` as a JSON object. @error 400 not JSON or no object; 413 beyond the limits.
ApiResult<codec::Value> parse_object(std::string_view body);

/// A whole number within [min, max], or 400 naming `name`.
ApiResult<std::int64_t> whole_number(const codec::Value& value, std::string name, std::int64_t min,
                                     std::int64_t max);

/// A whole number within [min, max] from the query, `fallback` if it is not there; or 400.
ApiResult<std::int64_t> query_number(const http::Request& request, std::string_view name,
                                     std::int64_t min, std::int64_t max, std::int64_t fallback);

/// Seconds from `keep_alive`: a number, or text such as "5m"; -1: for ever.
ApiResult<std::optional<std::int64_t>> read_keep_alive(const Fields& fields);

}  // namespace loam::api
