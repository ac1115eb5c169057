// Any bytes as safetensors: refused, or tensors that are written and read back the same.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tuning/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tuning = loam::tuning;
  const auto file = tuning::decode_safetensors(loam::ByteView(data, size));
  if (!file) {
    LOAM_CHECK(file.error().code == loam::ErrorCode::kCorrupt ||
               file.error().code == loam::ErrorCode::kUnsupported);
    return 0;
  }
  std::size_t values = 0;
  for (const auto& [name, tensor] : file->tensors) values += tensor.values.size();
  LOAM_CHECK(values * 2 <= size);
  // Bytes are compared, since NaN is not equal to itself.
  const loam::Bytes bytes = tuning::encode_safetensors(*file);
  const auto again = tuning::decode_safetensors(bytes);
  LOAM_CHECK(again.has_value());
  LOAM_CHECK(tuning::encode_safetensors(*again) == bytes);
  return 0;
}
