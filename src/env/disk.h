// The only door to files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace loam::env {

using Path = std::filesystem::path;

/// An open file descriptor, closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// Gives the descriptor away.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// What identifies the content of a file without reading it: if these five are unchanged, so is
/// the content, short of someone with raw access to the disk. @source DESIGN.md 8.11.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  // bytes
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Error codes of all functions here: NotFound, PermissionDenied, AlreadyExists,
/// ResourceExhausted (disk full, too large), Unavailable (other I/O errors). The message names the
/// path.

/// Opens for reading. The descriptor is close-on-exec.
Result<Fd> open_read(const Path& path);
Result<FileStamp> stamp(const Fd& file);
Result<FileStamp> stamp(const Path& path);

/// The whole file. @error ResourceExhausted  larger than `bytes_max`.
Result<std::string> read_file(const Path& path, std::uint64_t bytes_max);

/// Replaces `path` with `content` so that a reader and a crash see the old file or the new one
/// whole: temporary file of mode `mode`, fsync, rename, fsync of the folder.
Result<> write_file_atomic(const Path& path, std::string_view content, unsigned mode = 0644);

/// The absolute path without links that `path` leads to.
Result<Path> real_path(const Path& path);

/// Makes the folder and its parents, mode 0700. Durable: syncs the folders that got a new name.
Result<> make_folder(const Path& path);
Result<> remove_file(const Path& path);

/// Bytes that this user may still write on the file system that holds `path`.
Result<std::uint64_t> free_bytes(const Path& path);

/// An exclusive lock on a file, held until destroyed; gone with the process, however it ends.
class FileLock {
 public:
  /// Waits a tenth of a second at most, so that a look of holder() is not taken for a holder.
  /// @error AlreadyExists  another process holds it; the message has its pid.
  static Result<FileLock> acquire(const Path& path);
  /// Waits for a holder that will be done soon: so many times as long. @error as acquire().
  static Result<FileLock> acquire_after(const Path& path, int tries_max);
  /// The process that holds it (0 if that cannot be read); nothing if none does.
  static std::optional<std::int64_t> holder(const Path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// Turns `errno` into an Error: "ACTION PATH: reason".
Error system_error(std::string_view action, const Path& path, int error_number);

}  // namespace loam::env
