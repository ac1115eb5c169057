#include "dataset/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/format.h"
#include "env/file.h"

namespace loam::dataset {
namespace {

constexpr int kLevel = 3;  // the library's own default
constexpr int kWindowLogMax =
    23;  // 8 MiB: what every decoder should take. RFC 8878 section 3.1.1.1.2
constexpr std::size_t kOutputBytes = std::size_t{128} << 10;  // at a time; chosen

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::unexpected<Error> failed(const env::Path& path, std::size_t status) {
  return fail(ErrorCode::kInternal,
              format("compress {}: {}", path.string(), ZSTD_getErrorName(status)));
}

Result<> compress(const env::Fd& source, const env::Path& from, const env::Fd& target,
                  const env::Path& to) {
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  LOAM_CHECK(context != nullptr);  // out of memory
  const std::uint64_t size = LOAM_TRY(env::stamp(source)).size;
  for (const std::size_t status :
       {ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel),
        ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1),
        ZSTD_CCtx_setPledgedSrcSize(context.get(), size)})
    if (ZSTD_isError(status) != 0) return failed(from, status);

  std::vector<std::uint8_t> input(ZSTD_CStreamInSize());
  std::string output(ZSTD_CStreamOutSize(), '\0');
  for (std::uint64_t offset = 0;;) {
    const std::size_t got = LOAM_TRY(env::read_at(source, from, offset, input));
    offset += got;
    const ZSTD_EndDirective mode = got < input.size() ? ZSTD_e_end : ZSTD_e_continue;
    ZSTD_inBuffer in{input.data(), got, 0};
    for (std::size_t left = 1; left != 0;) {
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      const std::size_t status = ZSTD_compressStream2(context.get(), &out, &in, mode);
      if (ZSTD_isError(status) != 0) return failed(from, status);
      LOAM_TRY(env::write_all(target, to, std::string_view(output).substr(0, out.pos)));
      left = mode == ZSTD_e_end ? status : in.size - in.pos;
    }
    if (mode == ZSTD_e_end) return env::sync_file(target, to);
  }
}

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, format("zstd: {}", what), "fetch the file again");
}

std::unexpected<Error> refused(std::size_t status, std::uint64_t bytes_max) {
  switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_frameParameter_windowTooLarge:
      return fail(ErrorCode::kResourceExhausted,
                  format("zstd: the frame wants a window over {} bytes", 1U << kWindowLogMax),
                  "compress it without --long and --ultra");
    case ZSTD_error_memory_allocation:
      return fail(ErrorCode::kResourceExhausted, format("zstd: no memory for {} bytes", bytes_max));
    default: return damaged(ZSTD_getErrorName(status));
  }
}

}  // namespace

Result<> compress_file(const env::Path& from, const env::Path& to) {
  const env::Fd source = LOAM_TRY(env::open_read(from));
  const env::Fd target = LOAM_TRY(env::create_file(to, 0644));
  auto done = compress(source, from, target, to);
  if (!done) static_cast<void>(env::remove_file(to));  // the first error is the one to tell
  return done;
}

Result<std::string> decompress(ByteView bytes, std::uint64_t bytes_max) {
  // The library would skip frames of other formats, and those that hold nothing.
  constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";
  if (!as_text(bytes).starts_with(kMagic)) return damaged("this is no Zstandard frame");
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  LOAM_CHECK(context != nullptr);  // out of memory
  const std::size_t limited =
      ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  LOAM_CHECK(ZSTD_isError(limited) == 0);

  std::string content;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (std::size_t left = 1; left != 0;) {
    const std::size_t have = content.size();
    // One byte more than allowed tells "too large" from "just fits".
    const std::uint64_t room = std::min<std::uint64_t>(kOutputBytes, bytes_max - have) + 1;
    content.resize(have + room);
    ZSTD_outBuffer out{content.data() + have, room, 0};
    const std::size_t consumed = in.pos;
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) return refused(left, bytes_max);
    content.resize(have + out.pos);
    if (content.size() > bytes_max)
      return fail(ErrorCode::kResourceExhausted,
                  format("zstd: the content is larger than {} bytes", bytes_max));
    if (left != 0 && out.pos == 0 && in.pos == consumed) return damaged("the frame is cut off");
  }
  if (in.pos != in.size) return damaged("something follows the frame");
  return content;
}

}  // namespace loam::dataset
