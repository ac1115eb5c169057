#include "engine/fields.h"

#include <cmath>

#include "base/format.h"

namespace loam::engine {
namespace {

const codec::Object kNoMembers;
const codec::Array kNoItems;
const codec::Value kNull;
const Bytes kNoBytes;

}  // namespace

Fields::Fields(const codec::Value& value, std::string_view what)
    : members_(value.as_object()), what_(what) {
  if (members_ == nullptr) {
    members_ = &kNoMembers;
    failed_ = true;
    error_ = {ErrorCode::kCorrupt, format("message {}: not a map", what_)};
  }
}

void Fields::refuse(std::string_view name, std::string_view why) {
  if (failed_) return;
  failed_ = true;
  error_ = {ErrorCode::kCorrupt, format("message {}, field {}: {}", what_, name, why)};
}

void Fields::join(Fields& part) {
  if (auto ended = part.end(); !ended && !failed_) {
    failed_ = true;
    error_ = std::move(ended).error();
  }
}

const codec::Value* Fields::take(std::string_view name) {
  if (failed_) return nullptr;
  for (const auto& [key, value] : *members_)
    if (key == name) {
      ++taken_;
      return &value;
    }
  refuse(name, "missing");
  return nullptr;
}

std::uint64_t Fields::number(std::string_view name, std::uint64_t max) {
  const codec::Value* value = take(name);
  if (value == nullptr) return 0;
  const std::int64_t* number = value->as_int();
  if (number == nullptr || *number < 0 || static_cast<std::uint64_t>(*number) > max) {
    refuse(name, format("not a whole number from 0 to {}", max));
    return 0;
  }
  return static_cast<std::uint64_t>(*number);
}

std::uint32_t Fields::number32(std::string_view name, std::uint32_t max) {
  return static_cast<std::uint32_t>(number(name, max));
}

std::int64_t Fields::signed_number(std::string_view name) {
  const codec::Value* value = take(name);
  if (value == nullptr) return 0;
  if (const std::int64_t* number = value->as_int()) return *number;
  refuse(name, "not a whole number");
  return 0;
}

double Fields::duration(std::string_view name) {
  const codec::Value* value = take(name);
  if (value == nullptr) return 0;
  const double* number = value->as_double();
  if (number != nullptr && std::isfinite(*number) && *number >= 0) return *number;
  refuse(name, "not a duration");
  return 0;
}

bool Fields::flag(std::string_view name) {
  const codec::Value* value = take(name);
  if (value == nullptr) return false;
  if (const bool* flag = value->as_bool()) return *flag;
  refuse(name, "neither true nor false");
  return false;
}

std::string Fields::text(std::string_view name, std::size_t bytes_max) {
  const codec::Value* value = take(name);
  if (value == nullptr) return {};
  const std::string* text = value->as_string();
  if (text != nullptr && text->size() <= bytes_max) return *text;
  refuse(name, format("not a text of at most {} bytes", bytes_max));
  return {};
}

const Bytes& Fields::bytes(std::string_view name, std::size_t bytes_max) {
  const codec::Value* value = take(name);
  if (value == nullptr) return kNoBytes;
  const Bytes* bytes = value->as_bytes();
  if (bytes != nullptr && bytes->size() <= bytes_max) return *bytes;
  refuse(name, format("not a byte string of at most {} bytes", bytes_max));
  return kNoBytes;
}

const codec::Array& Fields::array(std::string_view name, std::size_t items_max) {
  const codec::Value* value = take(name);
  if (value == nullptr) return kNoItems;
  const codec::Array* items = value->as_array();
  if (items != nullptr && items->size() <= items_max) return *items;
  refuse(name, format("not a list of at most {} items", items_max));
  return kNoItems;
}

const codec::Value& Fields::map(std::string_view name) {
  const codec::Value* value = take(name);
  return value == nullptr ? kNull : *value;
}

Result<> Fields::end() {
  if (!failed_ && taken_ != members_->size()) {
    failed_ = true;
    error_ = {ErrorCode::kCorrupt, format("message {}: has a field that it should not", what_)};
  }
  if (failed_) return std::unexpected(error_);
  return {};
}

}  // namespace loam::engine
