#include "codec/members.h"

#include <algorithm>

namespace loam::codec {

std::string text_at(const Value& value, std::string_view name) {
  const Value* const found = value.find(name);
  const std::string* const text = found == nullptr ? nullptr : found->as_string();
  return text == nullptr ? std::string() : *text;
}

std::int64_t integer_at(const Value& value, std::string_view name) {
  const Value* const found = value.find(name);
  const std::int64_t* const number = found == nullptr ? nullptr : found->as_int();
  return number == nullptr ? 0 : *number;
}

std::uint64_t count_at(const Value& value, std::string_view name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer_at(value, name), 0));
}

double number_at(const Value& value, std::string_view name) {
  const Value* const found = value.find(name);
  return found != nullptr && found->is_number() ? found->number() : 0;
}

bool flag_at(const Value& value, std::string_view name) {
  const Value* const found = value.find(name);
  return found != nullptr && found->as_bool() != nullptr && *found->as_bool();
}

}  // namespace loam::codec
