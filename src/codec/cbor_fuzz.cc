// Any bytes as CBOR: refused, or exactly what we write for what was understood; and the reader of
// items agrees with the reader of trees.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "codec/cbor.h"
#include "codec/cbor_items.h"

namespace {

using loam::ErrorCode;
namespace codec = loam::codec;

constexpr codec::CborLimits kLimits{.bytes_max = 1U << 20U, .depth_max = 16, .values_max = 100'000};

/// Copies one item, and what is in it, through the reader and the writer of items.
loam::Result<> copy(codec::CborReader& in, codec::CborWriter& out, int depth) {
  if (depth == 0) return in.refuse("nested too deeply");
  const auto [major, argument] = LOAM_TRY(in.head());
  if (major == codec::CborMajor::kTag || major == codec::CborMajor::kSimple)
    return in.refuse("no such item in a format of ours");
  out.head(major, argument);
  std::uint64_t items = 0;
  if (major == codec::CborMajor::kBytes || major == codec::CborMajor::kText) {
    const loam::ByteView content = LOAM_TRY(in.content(argument));
    out.out().insert(out.out().end(), content.begin(), content.end());
  } else if (major == codec::CborMajor::kArray || major == codec::CborMajor::kMap) {
    items = major == codec::CborMajor::kMap ? 2 : 1;
    LOAM_TRY(in.expect_room(argument, items));
    items *= argument;
  }
  for (std::uint64_t i = 0; i < items; ++i) LOAM_TRY(copy(in, out, depth - 1));
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const loam::ByteView bytes(data, size);
  const auto value = codec::parse_cbor(bytes, kLimits);
  if (value) {
    LOAM_CHECK(std::ranges::equal(codec::to_cbor(*value), bytes));
  } else {
    LOAM_CHECK(value.error().code == ErrorCode::kInvalidArgument ||
               value.error().code == ErrorCode::kResourceExhausted);
  }
  codec::CborReader in(bytes);
  codec::CborWriter out;
  if (const auto copied = copy(in, out, 16); copied && in.at_end())
    LOAM_CHECK(std::ranges::equal(out.out(), bytes));
  return 0;
}
