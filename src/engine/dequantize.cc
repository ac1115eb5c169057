#include "engine/dequantize.h"

#ifdef LOAM_HAVE_LLAMA
#include <ggml.h>
#endif

#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/format.h"
#include "engine/cpu_class.h"

namespace loam::engine {
namespace {

constexpr std::uint32_t kF32 = 0;
static_assert(std::endian::native == std::endian::little, "a GGUF file's F32 is copied as it is");

/// @param block  numbers in a block. @param block_bytes  that it takes.
Result<> check_sizes(std::string_view format_name, ByteView blocks, std::size_t numbers,
                     std::size_t block, std::size_t block_bytes) {
  if (numbers % block == 0 && blocks.size() % block_bytes == 0 &&
      blocks.size() / block_bytes == numbers / block)
    return {};
  return fail(ErrorCode::kCorrupt, format("read weights in format {}: {} bytes are not {} numbers",
                                          format_name, blocks.size(), numbers));
}

#ifdef LOAM_HAVE_LLAMA

Result<> dequantize_others(std::uint32_t number, ByteView blocks, std::span<float> to) {
  LOAM_TRY(require_cpu(probe_cpu()));
  const ggml_type_traits* traits =
      number < GGML_TYPE_COUNT ? ggml_get_type_traits(static_cast<ggml_type>(number)) : nullptr;
  if (traits == nullptr || traits->to_float == nullptr || traits->blck_size <= 0 ||
      traits->type_size == 0)
    return fail(ErrorCode::kUnsupported,
                format("read weights in format {}: not one of weights", number),
                "choose a model in another format, such as Q8_0");
  LOAM_TRY(check_sizes(traits->type_name, blocks, to.size(),
                       static_cast<std::size_t>(traits->blck_size), traits->type_size));
  if (to.empty()) return {};
  // The library reads 16 and 32 bits at once.
  LOAM_CHECK(reinterpret_cast<std::uintptr_t>(blocks.data()) % 4 == 0);
  traits->to_float(blocks.data(), to.data(), static_cast<std::int64_t>(to.size()));
  return {};
}

#else

Result<> dequantize_others(std::uint32_t number, ByteView /*blocks*/, std::span<float> /*to*/) {
  return fail(ErrorCode::kUnsupported,
              format("read weights in format {}: this build has no llama.cpp", number),
              "configure with LOAM_LLAMA=ON");
}

#endif

}  // namespace

Result<> dequantize(std::uint32_t ggml_type, ByteView blocks, std::span<float> to) {
  if (ggml_type != kF32) return dequantize_others(ggml_type, blocks, to);
  LOAM_TRY(check_sizes("F32", blocks, to.size(), 1, sizeof(float)));
  if (!to.empty()) std::memcpy(to.data(), blocks.data(), blocks.size());
  return {};
}

}  // namespace loam::engine
