#include "catalog/byte_source.h"

#include <algorithm>

#include "base/format.h"
#include "env/file.h"

namespace loam::catalog {
namespace {

constexpr std::size_t kWindowBytes = 64U << 10;

}  // namespace

ByteSource::ByteSource(ByteView bytes) : memory_(bytes), size_(bytes.size()) {}

ByteSource::ByteSource(const env::Fd& file, env::Path path, std::uint64_t size)
    : file_(&file), path_(std::move(path)), size_(size) {}

Result<> ByteSource::skip(std::uint64_t bytes) {
  if (bytes > left())
    return fail(ErrorCode::kCorrupt, format("it ends at byte {}, in the middle of its header: byte "
                                            "{} announces {} more",
                                            size_, position_, bytes));
  position_ += bytes;
  return {};
}

Result<std::uint64_t> ByteSource::number(std::size_t bytes) {
  std::array<std::uint8_t, 8> raw{};
  LOAM_TRY(read(std::span(raw).first(bytes)));
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | raw[i];
  return value;
}

Result<std::string> ByteSource::text(std::uint64_t bytes, std::uint64_t bytes_max) {
  if (bytes > bytes_max)
    return fail(ErrorCode::kCorrupt, format("byte {} announces a text of {} bytes; the most is {}",
                                            position_, bytes, bytes_max));
  if (bytes > left()) {
    LOAM_TRY(skip(bytes));  // always the error that says so
  }
  std::string out(static_cast<std::size_t>(bytes), '\0');
  LOAM_TRY(read({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
  return out;
}

Result<> ByteSource::read(std::span<std::uint8_t> out) {
  const std::uint64_t from = position_;
  LOAM_TRY(skip(out.size()));
  if (file_ == nullptr) {
    std::ranges::copy(memory_.subspan(static_cast<std::size_t>(from), out.size()), out.begin());
    return {};
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = from + done;
    if (at < window_at_ || at >= window_at_ + window_.size()) {
      window_.resize(kWindowBytes);
      window_at_ = at;
      window_.resize(LOAM_TRY(env::read_at(*file_, path_, at, window_)));
      if (window_.empty())
        return fail(ErrorCode::kCorrupt,
                    format("it became shorter while it was read: {} bytes", at));
    }
    const auto offset = static_cast<std::size_t>(at - window_at_);
    const std::size_t n = std::min(out.size() - done, window_.size() - offset);
    std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(offset), n,
                out.begin() + static_cast<std::ptrdiff_t>(done));
    done += n;
  }
  return {};
}

}  // namespace loam::catalog
