// Value: a tree of plain data, the form in which JSON and CBOR enter and leave the program.
// Handlers parse it at once into types of their own; it does not travel inward.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace loam::codec {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
/// Members in the order in which they were put in; no name twice once parsed.
using Object = std::vector<Member>;

class Value {
 public:
  using Data =
      std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes, Array, Object>;

  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool v) : data_(v) {}
  Value(int v) : data_(std::int64_t{v}) {}
  Value(unsigned v) : data_(std::int64_t{v}) {}
  Value(std::int64_t v) : data_(v) {}
  Value(std::uint64_t v) : data_(static_cast<std::int64_t>(v)) {}
  Value(double v) : data_(v) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(Bytes v) : data_(std::move(v)) {}
  Value(Array v) : data_(std::move(v)) {}
  Value(Object v) : data_(std::move(v)) {}
  explicit Value(Data data) : data_(std::move(data)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  /// The content if it has that type, else nullptr.
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const std::int64_t* as_int() const { return std::get_if<std::int64_t>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const Bytes* as_bytes() const { return std::get_if<Bytes>(&data_); }
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }
  /// A number, whole or not.
  const double* as_double() const { return std::get_if<double>(&data_); }
  bool is_number() const { return as_int() != nullptr || as_double() != nullptr; }
  double number() const;  // is_number() must hold

  /// The member `name` of an object; nullptr if this is no object or has none.
  const Value* find(std::string_view name) const;
  /// Adds or replaces a member; this must be an object or null (which becomes one).
  Value& set(std::string name, Value value);

  const Data& data() const { return data_; }
  friend bool operator==(const Value&, const Value&) = default;

 private:
  Data data_;
};

}  // namespace loam::codec
