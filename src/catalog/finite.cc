#include "catalog/finite.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/check.h"
#include "base/format.h"
#include "base/utf8.h"
#include "catalog/ggml_types.h"
#include "catalog/gguf.h"
#include "engine/dequantize.h"
#include "env/file.h"

namespace loam::catalog {
namespace {

constexpr std::uint64_t kPieceBytes = 1U << 20;  // chosen; a block has 292 at most

/// Fills `to` with what the file has from `offset` on.
using ReadAt = std::function<Result<>(std::uint64_t offset, std::span<std::uint8_t> to)>;

Result<bool> is_finite(const GgufTensor& tensor, const ReadAt& read_at) {
  const GgmlType* const type = ggml_type(tensor.type);
  LOAM_CHECK(type != nullptr);
  const std::uint64_t piece_bytes_max = kPieceBytes / type->bytes * type->bytes;
  Bytes piece;
  std::vector<float> numbers;
  for (std::uint64_t at = 0; at < tensor.bytes; at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min(piece_bytes_max, tensor.bytes - at)));
    LOAM_TRY(read_at(tensor.offset + at, piece));
    numbers.resize(piece.size() / type->bytes * type->block);
    LOAM_TRY(engine::dequantize(tensor.type, piece, numbers));
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); })) return false;
  }
  return true;
}

Result<> check_tensors(const GgufHeader& header, std::string_view whose, const ReadAt& read_at) {
  for (const GgufTensor& tensor : header.tensors)
    if (!LOAM_TRY(is_finite(tensor, read_at)))
      return fail(
          ErrorCode::kCorrupt,
          format("{}tensor {} holds infinity or NaN", whose, replace_invalid_utf8(tensor.name)),
          "its training diverged, or it was damaged: it is not one to use");
  return {};
}

}  // namespace

Result<> check_finite(ByteView gguf) {
  const GgufHeader header = LOAM_TRY(read_gguf_header(gguf));
  return check_tensors(header, "", [&](std::uint64_t offset, std::span<std::uint8_t> to) {
    std::ranges::copy(gguf.subspan(static_cast<std::size_t>(offset), to.size()), to.begin());
    return Result<>();
  });
}

Result<> check_finite(const env::Fd& file, const env::Path& path) {
  const GgufHeader header = LOAM_TRY(read_gguf_header(file, path));
  return check_tensors(header, path.string() + ": ",
                       [&](std::uint64_t offset, std::span<std::uint8_t> to) -> Result<> {
                         const std::size_t read = LOAM_TRY(env::read_at(file, path, offset, to));
                         if (read == to.size()) return {};
                         return fail(ErrorCode::kCorrupt,
                                     format("{}: the file became shorter", path.string()));
                       });
}

}  // namespace loam::catalog
