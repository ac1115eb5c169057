// Fields: takes a message apart. Each field once, of its type and within its limit; nothing left.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "codec/value.h"

namespace loam::engine {

/// Keeps the first mistake, after which every field reads as empty: a parser takes all its fields
/// and asks once, at the end, whether they were good. `value` must outlive this.
class Fields {
 public:
  /// `what` names the message in errors.
  Fields(const codec::Value& value, std::string_view what);

  std::uint64_t number(std::string_view name, std::uint64_t max);
  std::uint32_t number32(std::string_view name, std::uint32_t max = UINT32_MAX);
  std::int64_t signed_number(std::string_view name);
  /// Finite, not negative.
  double duration(std::string_view name);
  bool flag(std::string_view name);
  std::string text(std::string_view name, std::size_t bytes_max);
  const Bytes& bytes(std::string_view name, std::size_t bytes_max);
  const codec::Array& array(std::string_view name, std::size_t items_max);
  /// A map, to be taken apart by Fields of its own; null after a mistake.
  const codec::Value& map(std::string_view name);

  /// Names the message differently in errors, once its type is known.
  void rename(std::string_view what) { what_ = what; }
  /// Notes a mistake in field `name`, unless there is one already.
  void refuse(std::string_view name, std::string_view why);
  /// Takes over the mistake of a part.
  void join(Fields& part);
  bool good() const { return !failed_; }

  /// @error Corrupt  the first mistake, or a field that was not asked for.
  Result<> end();

 private:
  const codec::Value* take(std::string_view name);

  const codec::Object* members_;
  std::string what_;
  std::size_t taken_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace loam::engine
