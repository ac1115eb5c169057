#include "tuning/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "codec/json.h"
#include "codec/json_items.h"
#include "tuning/little_endian.h"
#include "tuning/quoted.h"

namespace loam::tuning {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kLengthBytes = 8;
// The reference implementation's limit for bytes. A matrix is eight values of JSON, so that there
// may be 250,000 of them: no model has so many.
constexpr codec::JsonLimits kHeaderLimits{
    .bytes_max = 100'000'000, .depth_max = 3, .values_max = 2'000'000};

std::unexpected<Error> corrupt(const std::string& what) {
  return fail(ErrorCode::kCorrupt, "read safetensors: " + what,
              "export the file again, or copy it again from where it is whole");
}

// ---- numbers

using Kind = SafeTensorType;

std::optional<Kind> kind_of(std::string_view dtype) {
  if (dtype == "F32") return Kind::kBinary32;
  if (dtype == "F16") return Kind::kBinary16;
  if (dtype == "BF16") return Kind::kBrain16;
  return std::nullopt;
}

std::size_t size_of(Kind kind) { return kind == Kind::kBinary32 ? 4 : 2; }

/// @source IEEE 754-2019, binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
float from_binary16(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half} >> 15 << 31;
  const std::uint32_t exponent = half >> 10 & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {  // 0, or too small for an exponent of its own there, but not here
    const float size = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(size));
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::vector<float> numbers(ByteView bytes, Kind kind) {
  std::vector<float> out(bytes.size() / size_of(kind));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const ByteView at = bytes.subspan(i * size_of(kind), size_of(kind));
    switch (kind) {
      case Kind::kBinary32: out[i] = std::bit_cast<float>(little_endian<std::uint32_t>(at)); break;
      case Kind::kBinary16: out[i] = from_binary16(little_endian<std::uint16_t>(at)); break;
      case Kind::kBrain16:  // the upper half of a binary32
        out[i] = std::bit_cast<float>(std::uint32_t{little_endian<std::uint16_t>(at)} << 16);
        break;
    }
  }
  return out;
}

// ---- the header

/// One tensor as the header describes it.
struct Entry {
  std::string name;
  Kind kind;
  std::vector<std::size_t> shape;
  std::size_t begin, end;  // in the bytes behind the header
};

/// Whole numbers of an array, none below 0; nothing if it is anything else.
std::optional<std::vector<std::size_t>> counts(const codec::Value* value) {
  const codec::Array* const items = value == nullptr ? nullptr : value->as_array();
  if (items == nullptr) return std::nullopt;
  std::vector<std::size_t> out;
  for (const codec::Value& item : *items) {
    const std::int64_t* const number = item.as_int();
    if (number == nullptr || *number < 0) return std::nullopt;
    out.push_back(static_cast<std::size_t>(*number));
  }
  return out;
}

/// The bytes of a tensor; nothing if they cannot be counted, whatever its type.
std::optional<std::size_t> bytes_of(std::span<const std::size_t> shape, Kind kind) {
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  std::size_t count = 1;
  for (const std::size_t size : shape) {
    if (size != 0 && count > kMax / size) return std::nullopt;
    count *= size;
  }
  if (count > kMax / sizeof(float)) return std::nullopt;
  return count * size_of(kind);
}

Result<Entry> read_entry(std::string_view name, const codec::Value& value) {
  const codec::Object* const fields = value.as_object();
  const codec::Value* const dtype = value.find("dtype");
  auto shape = counts(value.find("shape"));
  const auto offsets = counts(value.find("data_offsets"));
  if (fields == nullptr || fields->size() != 3 || dtype == nullptr ||
      dtype->as_string() == nullptr || !shape || !offsets || offsets->size() != 2)
    return corrupt(
        format("tensor {} is not described by dtype, shape and data_offsets alone", quoted(name)));
  const std::optional<Kind> kind = kind_of(*dtype->as_string());
  if (!kind)
    return fail(ErrorCode::kUnsupported,
                format("read safetensors: tensor {} is of type {}", quoted(name),
                       quoted(*dtype->as_string())),
                "save it as F32, F16 or BF16");
  const std::size_t begin = offsets->front();
  const std::size_t end = offsets->back();
  if (end < begin || bytes_of(*shape, *kind) != end - begin)
    return corrupt(
        format("tensor {}: its shape does not need bytes {} to {}", quoted(name), begin, end));
  return Entry{std::string(name), *kind, *std::move(shape), begin, end};
}

Result<std::map<std::string, std::string>> read_metadata(const codec::Value& value) {
  const codec::Object* const members = value.as_object();
  if (members == nullptr) return corrupt("__metadata__ is no object");
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : *members) {
    if (text.as_string() == nullptr)
      return corrupt(format("__metadata__ has no text for {}", quoted(name)));
    out.emplace(name, *text.as_string());
  }
  return out;
}

/// Each byte of `bytes` belongs to one tensor. Sorts them as they lie.
Result<> check_cover(std::vector<Entry>& entries, std::size_t bytes) {
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  std::size_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at)
      return corrupt(format("tensor {} begins at byte {} where {} was expected", quoted(entry.name),
                            entry.begin, at));
    at = entry.end;
  }
  if (at != bytes) return corrupt(format("tensors of {} bytes, but {} are there", at, bytes));
  return {};
}

struct Header {
  std::vector<Entry> entries;  // as they lie
  std::map<std::string, std::string> metadata;
  ByteView numbers;  // all bytes behind it
};

Result<Header> read_header(ByteView bytes) {
  if (bytes.size() < kLengthBytes) return corrupt("shorter than the length of a header");
  const auto length = little_endian<std::uint64_t>(bytes);
  if (length > kHeaderLimits.bytes_max)
    return corrupt(format("a header of {} bytes, more than {}", length, kHeaderLimits.bytes_max));
  bytes = bytes.subspan(kLengthBytes);
  if (length > bytes.size())
    return corrupt(format("a header of {} bytes, but {} are there", length, bytes.size()));
  const std::string_view text = as_text(bytes.first(length));
  if (!text.starts_with('{')) return corrupt("the header does not begin with {");
  const auto header = codec::parse_json(text, kHeaderLimits);
  if (!header) return corrupt("its header: " + header.error().message);

  Header out{.entries = {}, .metadata = {}, .numbers = bytes.subspan(length)};
  for (const auto& [name, value] : *header->as_object())
    if (name == kMetadata)
      out.metadata = LOAM_TRY(read_metadata(value));
    else
      out.entries.push_back(LOAM_TRY(read_entry(name, value)));
  LOAM_TRY(check_cover(out.entries, out.numbers.size()));
  return out;
}

void append_whole(std::string& out, std::span<const std::size_t> numbers) {
  out += '[';
  for (std::size_t i = 0; i < numbers.size(); ++i)
    out += format("{}{}", i == 0 ? "" : ",", numbers[i]);
  out += ']';
}

std::string header_of(const SafeTensors& file) {
  std::string out = "{";
  const auto name_member = [&](std::string_view name) {
    if (out.back() != '{') out += ',';
    codec::append_json_string(out, name);
    out += ':';
  };
  if (!file.metadata.empty()) {
    name_member(kMetadata);
    out += '{';
    for (const auto& [name, text] : file.metadata) {
      name_member(name);
      codec::append_json_string(out, text);
    }
    out += '}';
  }
  std::size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const auto bytes = bytes_of(tensor.shape, Kind::kBinary32);
    LOAM_CHECK(name != kMetadata);
    LOAM_CHECK(bytes == tensor.values.size() * sizeof(float));
    name_member(name);
    out += R"({"dtype":"F32","shape":)";
    append_whole(out, tensor.shape);
    out += R"(,"data_offsets":)";
    append_whole(out, std::array{offset, offset + *bytes});
    out += '}';
    offset += *bytes;
  }
  out += '}';
  out.append((8 - out.size() % 8) % 8, ' ');  // so that the numbers lie aligned in memory
  return out;
}

}  // namespace

Bytes encode_safetensors(const SafeTensors& file) {
  const std::string header = header_of(file);
  std::size_t size = kLengthBytes + header.size();
  for (const auto& [name, tensor] : file.tensors) size += tensor.values.size() * sizeof(float);
  Bytes out;
  out.reserve(size);
  append_little_endian(out, std::uint64_t{header.size()});
  out.insert(out.end(), header.begin(), header.end());
  for (const auto& [name, tensor] : file.tensors)
    for (const float value : tensor.values)
      append_little_endian(out, std::bit_cast<std::uint32_t>(value));
  return out;
}

Result<SafeTensors> decode_safetensors(ByteView bytes) {
  Header header = LOAM_TRY(read_header(bytes));
  SafeTensors out{.tensors = {}, .metadata = std::move(header.metadata)};
  for (Entry& entry : header.entries)
    out.tensors.try_emplace(
        std::move(entry.name),
        SafeTensor{
            std::move(entry.shape),
            numbers(header.numbers.subspan(entry.begin, entry.end - entry.begin), entry.kind)});
  return out;
}

Result<std::vector<SafeTensorPlace>> find_safetensors(ByteView bytes) {
  Header header = LOAM_TRY(read_header(bytes));
  std::vector<SafeTensorPlace> out;
  for (Entry& entry : header.entries)
    out.push_back({std::move(entry.name), std::move(entry.shape), entry.kind,
                   header.numbers.subspan(entry.begin, entry.end - entry.begin)});
  return out;
}

std::vector<float> numbers_of(const SafeTensorPlace& tensor) {
  return numbers(tensor.bytes, tensor.type);
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace loam::tuning
