#include "codec/cbor.h"

#include <algorithm>
#include <bit>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::codec {
namespace {

// Major types of RFC 8949 section 3.1.
enum class Major : std::uint8_t {
  kUnsigned = 0,
  kNegative = 1,
  kBytes = 2,
  kText = 3,
  kArray = 4,
  kMap = 5,
  kSimple = 7,
};
constexpr std::uint8_t kFalse = 0xF4;
constexpr std::uint8_t kTrue = 0xF5;
constexpr std::uint8_t kNull = 0xF6;
constexpr std::uint8_t kDouble = 0xFB;

void put_big_endian(Bytes& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_head(Bytes& out, Major major, std::uint64_t argument) {
  const auto lead = static_cast<unsigned>(major) << 5;
  if (argument < 24) {
    out.push_back(static_cast<std::uint8_t>(lead | argument));
    return;
  }
  const int size_log2 = argument <= 0xFF         ? 0
                        : argument <= 0xFFFF     ? 1
                        : argument <= 0xFFFFFFFF ? 2
                                                 : 3;
  out.push_back(static_cast<std::uint8_t>(lead | (24U + static_cast<unsigned>(size_log2))));
  put_big_endian(out, argument, 1 << size_log2);
}

/// Order of map keys: bytewise over their encodings, which for text is first length, then bytes.
bool key_less(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

struct Encoder {
  Bytes out;

  void put(std::monostate) { out.push_back(kNull); }
  void put(bool v) { out.push_back(v ? kTrue : kFalse); }
  void put(std::int64_t v) {
    if (v >= 0)
      put_head(out, Major::kUnsigned, static_cast<std::uint64_t>(v));
    else
      put_head(out, Major::kNegative, static_cast<std::uint64_t>(-(v + 1)));
  }
  void put(double v) {
    out.push_back(kDouble);
    put_big_endian(out, std::bit_cast<std::uint64_t>(v), 8);
  }
  void put(const std::string& v) {
    put_head(out, Major::kText, v.size());
    out.insert(out.end(), v.begin(), v.end());
  }
  void put(const Bytes& v) {
    put_head(out, Major::kBytes, v.size());
    out.insert(out.end(), v.begin(), v.end());
  }
  void put(const Array& items) {
    put_head(out, Major::kArray, items.size());
    for (const Value& item : items) put(item);
  }
  void put(const Object& members) {
    std::vector<const Member*> sorted;
    sorted.reserve(members.size());
    for (const Member& member : members) sorted.push_back(&member);
    std::ranges::sort(
        sorted, [](const Member* a, const Member* b) { return key_less(a->first, b->first); });
    put_head(out, Major::kMap, members.size());
    for (const Member* member : sorted) {
      put(member->first);
      put(member->second);
    }
  }
  void put(const Value& value) {
    std::visit([this](const auto& v) { put(v); }, value.data());
  }
};

class Decoder {
 public:
  Decoder(ByteView input, const CborLimits& limits) : input_(input), limits_(limits) {}

  Result<Value> document() {
    Value value = LOAM_TRY(item(0));
    if (at_ != input_.size()) return refuse("bytes behind the item");
    return value;
  }

 private:
  std::unexpected<Error> refuse(std::string_view why) const {
    return fail(ErrorCode::kInvalidArgument, format("CBOR: {} at byte {}", why, at_));
  }

  Result<std::uint64_t> big_endian(std::size_t bytes) {
    if (input_.size() - at_ < bytes) return refuse("truncated");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | input_[at_ + i];
    at_ += bytes;
    return value;
  }

  /// The argument behind an initial byte; only the shortest form is accepted.
  Result<std::uint64_t> argument(std::uint8_t initial) {
    const unsigned info = initial & 31U;
    if (info < 24) return std::uint64_t{info};
    if (info > 27) return refuse("indefinite length or reserved head");
    const std::uint64_t value = LOAM_TRY(big_endian(std::size_t{1} << (info - 24)));
    constexpr std::uint64_t kLeast[] = {24, 0x100, 0x10000, 0x100000000};
    if (value < kLeast[info - 24]) return refuse("head is not the shortest");
    return value;
  }

  Result<std::string> text(std::uint64_t length) {
    if (length > input_.size() - at_) return refuse("truncated");
    const std::string_view view = as_text(input_.subspan(at_, length));
    if (!is_valid_utf8(view)) return refuse("text is not UTF-8");
    at_ += length;
    return std::string(view);
  }

  Result<Value> array(std::uint64_t count, std::size_t depth) {
    // Each item takes at least one byte, so a count beyond the rest of the input is a lie.
    if (count > input_.size() - at_) return refuse("array longer than the input");
    Array items;
    items.reserve(std::min<std::uint64_t>(count, 4096));
    for (std::uint64_t i = 0; i < count; ++i) items.push_back(LOAM_TRY(item(depth + 1)));
    return Value(std::move(items));
  }

  Result<Value> map(std::uint64_t count, std::size_t depth) {
    if (count > (input_.size() - at_) / 2) return refuse("map longer than the input");
    Object members;
    members.reserve(std::min<std::uint64_t>(count, 4096));
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t head = LOAM_TRY(big_endian(1));
      if (head >> 5 != static_cast<unsigned>(Major::kText)) return refuse("map key is not text");
      const std::uint64_t length = LOAM_TRY(argument(static_cast<std::uint8_t>(head)));
      std::string key = LOAM_TRY(text(length));
      if (!members.empty() && !key_less(members.back().first, key))
        return refuse("map keys are not sorted and distinct");
      members.emplace_back(std::move(key), LOAM_TRY(item(depth + 1)));
    }
    return Value(std::move(members));
  }

  Result<Value> simple(std::uint8_t initial) {
    switch (initial) {
      case kFalse: return Value(false);
      case kTrue: return Value(true);
      case kNull: return Value();
      case kDouble: return Value(std::bit_cast<double>(LOAM_TRY(big_endian(8))));
      default: return refuse("unknown simple value or float size");
    }
  }

  Result<Value> item(std::size_t depth) {
    if (depth > limits_.depth_max) return refuse("nested too deeply");
    if (++values_ > limits_.values_max)
      return fail(ErrorCode::kResourceExhausted,
                  format("CBOR: more than {} values", limits_.values_max));
    const auto initial = static_cast<std::uint8_t>(LOAM_TRY(big_endian(1)));
    if (initial >> 5 == static_cast<unsigned>(Major::kSimple)) return simple(initial);
    const std::uint64_t n = LOAM_TRY(argument(initial));
    switch (static_cast<Major>(initial >> 5)) {
      case Major::kUnsigned:
      case Major::kNegative: {
        if (n >> 63 != 0) return refuse("integer beyond 64 bits");
        const auto value = static_cast<std::int64_t>(n);
        return Value(initial >> 5 == 0 ? value : -1 - value);
      }
      case Major::kBytes: {
        if (n > input_.size() - at_) return refuse("truncated");
        const ByteView view = input_.subspan(at_, n);
        at_ += n;
        return Value(Bytes(view.begin(), view.end()));
      }
      case Major::kText: return Value(LOAM_TRY(text(n)));
      case Major::kArray: return array(n, depth);
      case Major::kMap: return map(n, depth);
      case Major::kSimple: break;
    }
    return refuse("tag");
  }

  ByteView input_;
  const CborLimits& limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Bytes to_cbor(const Value& value) {
  Encoder encoder;
  encoder.put(value);
  return std::move(encoder.out);
}

Result<Value> parse_cbor(ByteView bytes, const CborLimits& limits) {
  if (bytes.size() > limits.bytes_max)
    return fail(ErrorCode::kResourceExhausted,
                format("CBOR: larger than {} bytes", limits.bytes_max));
  return Decoder(bytes, limits).document();
}

}  // namespace loam::codec
