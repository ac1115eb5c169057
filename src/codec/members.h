// Members of an object that this program or a node wrote: what is missing or of another type is
// empty or 0. What comes from strangers is parsed strictly instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace loam::codec {

std::string text_at(const Value& value, std::string_view name);
std::int64_t integer_at(const Value& value, std::string_view name);
/// 0 also for what is below 0.
std::uint64_t count_at(const Value& value, std::string_view name);
double number_at(const Value& value, std::string_view name);
bool flag_at(const Value& value, std::string_view name);

}  // namespace loam::codec
