#include "codec/value.h"

#include "base/check.h"

namespace loam::codec {

double Value::number() const {
  if (const auto* whole = as_int()) return static_cast<double>(*whole);
  const double* real = as_double();
  LOAM_CHECK(real != nullptr);
  return *real;
}

const Value* Value::find(std::string_view name) const {
  if (const Object* object = as_object())
    for (const auto& [key, value] : *object)
      if (key == name) return &value;
  return nullptr;
}

Value& Value::set(std::string name, Value value) {
  if (is_null()) data_ = Object{};
  auto* object = std::get_if<Object>(&data_);
  LOAM_CHECK(object != nullptr);
  for (auto& [key, old] : *object)
    if (key == name) {
      old = std::move(value);
      return *this;
    }
  object->emplace_back(std::move(name), std::move(value));
  return *this;
}

}  // namespace loam::codec
