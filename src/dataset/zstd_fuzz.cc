// Any bytes as a Zstandard frame: refused, or content within the limit.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "dataset/zstd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 20;
  const auto content = loam::dataset::decompress({data, size}, kBytesMax);
  if (content)
    LOAM_CHECK(content->size() <= kBytesMax);
  else
    LOAM_CHECK(content.error().code == loam::ErrorCode::kCorrupt ||
               content.error().code == loam::ErrorCode::kResourceExhausted);
  return 0;
}
