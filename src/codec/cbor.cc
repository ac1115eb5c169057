#include "codec/cbor.h"

#include <algorithm>
#include <bit>

#include "base/format.h"
#include "codec/cbor_items.h"

namespace loam::codec {
namespace {

constexpr std::uint8_t kFalse = 0xF4;
constexpr std::uint8_t kTrue = 0xF5;
constexpr std::uint8_t kNull = 0xF6;
constexpr std::uint8_t kDouble = 0xFB;

/// Order of map keys: bytewise over their encodings, which for text is first length, then bytes.
bool key_less(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

struct Encoder {
  CborWriter writer;

  void put(std::monostate) { writer.raw(kNull); }
  void put(bool v) { writer.raw(v ? kTrue : kFalse); }
  void put(std::int64_t v) { writer.integer(v); }
  void put(double v) {
    const auto bits = std::bit_cast<std::uint64_t>(v);
    writer.raw(kDouble);
    for (int i = 7; i >= 0; --i) writer.raw(static_cast<std::uint8_t>(bits >> (8 * i)));
  }
  void put(const std::string& v) { writer.text(v); }
  void put(const Bytes& v) { writer.bytes(v); }
  void put(const Array& items) {
    writer.array(items.size());
    for (const Value& item : items) put(item);
  }
  void put(const Object& members) {
    std::vector<const Member*> sorted;
    sorted.reserve(members.size());
    for (const Member& member : members) sorted.push_back(&member);
    std::ranges::sort(
        sorted, [](const Member* a, const Member* b) { return key_less(a->first, b->first); });
    writer.map(members.size());
    for (const Member* member : sorted) {
      writer.text(member->first);
      put(member->second);
    }
  }
  void put(const Value& value) {
    std::visit([this](const auto& v) { put(v); }, value.data());
  }
};

class Decoder {
 public:
  Decoder(ByteView input, const CborLimits& limits) : reader_(input), limits_(limits) {}

  Result<Value> document() {
    Value value = LOAM_TRY(item(0));
    LOAM_TRY(reader_.end());
    return value;
  }

 private:
  Result<Value> array(std::uint64_t count, std::size_t depth) {
    // Each item takes at least one byte, so a count beyond the rest of the input is a lie.
    LOAM_TRY(reader_.expect_room(count, 1));
    Array items;
    items.reserve(std::min<std::uint64_t>(count, 4096));
    for (std::uint64_t i = 0; i < count; ++i) items.push_back(LOAM_TRY(item(depth + 1)));
    return Value(std::move(items));
  }

  Result<Value> map(std::uint64_t count, std::size_t depth) {
    LOAM_TRY(reader_.expect_room(count, 2));
    Object members;
    members.reserve(std::min<std::uint64_t>(count, 4096));
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string key(LOAM_TRY(reader_.text()));
      if (!members.empty() && !key_less(members.back().first, key))
        return reader_.refuse("map keys are not sorted and distinct");
      members.emplace_back(std::move(key), LOAM_TRY(item(depth + 1)));
    }
    return Value(std::move(members));
  }

  Result<Value> simple(std::uint64_t info) {
    switch (info) {
      case kFalse & 31U: return Value(false);
      case kTrue & 31U: return Value(true);
      case kNull & 31U: return Value();
      case kDouble & 31U: {
        std::uint64_t bits = 0;
        for (const std::uint8_t byte : LOAM_TRY(reader_.content(8))) bits = bits << 8 | byte;
        return Value(std::bit_cast<double>(bits));
      }
      default: return reader_.refuse("unknown simple value or float size");
    }
  }

  Result<Value> item(std::size_t depth) {
    if (depth > limits_.depth_max) return reader_.refuse("nested too deeply");
    if (++values_ > limits_.values_max)
      return fail(ErrorCode::kResourceExhausted,
                  format("CBOR: more than {} values", limits_.values_max));
    const auto [major, n] = LOAM_TRY(reader_.head());
    switch (major) {
      case CborMajor::kUnsigned:
      case CborMajor::kNegative: {
        if (n >> 63 != 0) return reader_.refuse("integer beyond 64 bits");
        const auto value = static_cast<std::int64_t>(n);
        return Value(major == CborMajor::kUnsigned ? value : -1 - value);
      }
      case CborMajor::kBytes: {
        const ByteView view = LOAM_TRY(reader_.content(n));
        return Value(Bytes(view.begin(), view.end()));
      }
      case CborMajor::kText: return Value(std::string(LOAM_TRY(reader_.text_content(n))));
      case CborMajor::kArray: return array(n, depth);
      case CborMajor::kMap: return map(n, depth);
      case CborMajor::kSimple: return simple(n);
      case CborMajor::kTag: break;
    }
    return reader_.refuse("tag");
  }

  CborReader reader_;
  const CborLimits& limits_;
  std::size_t values_ = 0;
};

}  // namespace

Bytes to_cbor(const Value& value) {
  Encoder encoder;
  encoder.put(value);
  return encoder.writer.take();
}

Result<Value> parse_cbor(ByteView bytes, const CborLimits& limits) {
  if (bytes.size() > limits.bytes_max)
    return fail(ErrorCode::kResourceExhausted,
                format("CBOR: larger than {} bytes", limits.bytes_max));
  return Decoder(bytes, limits).document();
}

}  // namespace loam::codec
