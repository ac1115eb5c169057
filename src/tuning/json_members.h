// Members of this module's own JSON files: what is missing or of another type is empty or 0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace loam::tuning {

std::string text_at(const codec::Value& value, std::string_view name);
std::int64_t integer_at(const codec::Value& value, std::string_view name);
/// 0 also for what is below 0.
std::uint64_t count_at(const codec::Value& value, std::string_view name);
double number_at(const codec::Value& value, std::string_view name);

}  // namespace loam::tuning
