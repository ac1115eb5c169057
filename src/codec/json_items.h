// JSON item by item, where a tree would cost more than the text: lines by the million. json.h is
// for trees of data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace loam::codec {

/// Appends a string with its quotation marks. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Appends one compact object, its members in the order in which they come: the same text as
/// to_json() of such a tree. Names are taken as they are: nothing in them may need an escape.
class JsonObject {
 public:
  /// `out` must outlive it.
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }

  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::int64_t value);
  JsonObject& boolean(std::string_view name, bool value);
  /// Where the caller appends the member's value, which must be JSON.
  std::string& value_of(std::string_view name);
  /// Once, behind the last member.
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool is_empty_ = true;
};

}  // namespace loam::codec
