// Little-endian numbers and strings out of a file or memory that may lie about its lengths.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"

namespace loam::catalog {

/// Reads forward through a window; every length is checked against what is left before anything is
/// allocated or skipped. Not thread-safe.
class ByteSource {
 public:
  /// `bytes` must outlive this.
  explicit ByteSource(ByteView bytes);
  /// `file` must outlive this; `path` is for messages.
  ByteSource(const env::Fd& file, env::Path path, std::uint64_t size);

  std::uint64_t position() const { return position_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t left() const { return size_ - position_; }

  /// @error Corrupt  the input ends before.
  Result<> skip(std::uint64_t bytes);
  /// A little-endian number of `bytes` (1 to 8), zero-extended.
  Result<std::uint64_t> number(std::size_t bytes);
  /// @error Corrupt  the input ends before, or `bytes` is above `bytes_max`.
  Result<std::string> text(std::uint64_t bytes, std::uint64_t bytes_max);

 private:
  Result<> read(std::span<std::uint8_t> out);

  ByteView memory_;  // all of the input, if it is in memory
  const env::Fd* file_ = nullptr;
  env::Path path_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  Bytes window_;  // of the file, from window_at_
  std::uint64_t window_at_ = 0;
};

}  // namespace loam::catalog
