#include "tuning/json_members.h"

#include <algorithm>

namespace loam::tuning {

std::string text_at(const codec::Value& value, std::string_view name) {
  const codec::Value* found = value.find(name);
  const std::string* text = found == nullptr ? nullptr : found->as_string();
  return text == nullptr ? std::string() : *text;
}
std::int64_t integer_at(const codec::Value& value, std::string_view name) {
  const codec::Value* found = value.find(name);
  const std::int64_t* number = found == nullptr ? nullptr : found->as_int();
  return number == nullptr ? 0 : *number;
}
std::uint64_t count_at(const codec::Value& value, std::string_view name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer_at(value, name), 0));
}
double number_at(const codec::Value& value, std::string_view name) {
  const codec::Value* found = value.find(name);
  if (found == nullptr) return 0;
  if (const double* number = found->as_double()) return *number;
  return static_cast<double>(integer_at(value, name));
}

}  // namespace loam::tuning
