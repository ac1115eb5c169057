// Columns: lists of numbers as little-endian byte strings, and a list of tokens with their
// logprobs as a table of such columns. A list then costs one CBOR value, however long it is.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "codec/value.h"
#include "engine/fields.h"
#include "engine/types.h"

namespace loam::engine {

template <class T>
concept ColumnNumber = std::integral<T> || std::same_as<T, float>;

/// The numbers one after another, little-endian.
template <ColumnNumber T>
Bytes to_column(std::span<const T> numbers) {
  static_assert(std::endian::native == std::endian::little, "Loam runs on little-endian machines");
  Bytes out(numbers.size_bytes());
  if (!out.empty()) std::memcpy(out.data(), numbers.data(), out.size());
  return out;
}

/// Empty if `bytes` is not a whole number of T.
template <ColumnNumber T>
std::optional<std::vector<T>> from_column(ByteView bytes) {
  if (bytes.size() % sizeof(T) != 0) return std::nullopt;
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

/// The list as a table of columns (docs/formats/worker-protocol.md, "token table").
codec::Value to_table(const std::vector<TokenInfo>& tokens);

/// Takes field `name` of `fields` as a token table; a mistake is left with `fields`.
std::vector<TokenInfo> take_table(Fields& fields, std::string_view name);

/// Takes field `name` as a column; a mistake or more than `items_max` numbers are left with
/// `fields`.
template <ColumnNumber T>
std::vector<T> take_column(Fields& fields, std::string_view name, std::size_t items_max) {
  const Bytes& bytes = fields.bytes(name, items_max * sizeof(T));
  auto numbers = from_column<T>(bytes);
  if (!numbers) fields.refuse(name, "not a whole number of items");
  return std::move(numbers).value_or(std::vector<T>{});
}

}  // namespace loam::engine
