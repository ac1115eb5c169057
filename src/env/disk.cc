#include "env/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::env {
namespace {

ErrorCode code_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE: return ErrorCode::kResourceExhausted;
    default: return ErrorCode::kUnavailable;
  }
}

FileStamp stamp_of(const struct stat& s) {
  const auto ns = [](const timespec& t) {
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  return {s.st_dev, s.st_ino, static_cast<std::uint64_t>(s.st_size), ns(s.st_mtim), ns(s.st_ctim)};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Error system_error(std::string_view action, const Path& path, int error_number) {
  return {code_of(error_number), format("{} {}: {}", action, path.string(),
                                        std::generic_category().message(error_number))};
}

Result<Fd> open_read(const Path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return std::unexpected(system_error("open", path, errno));
  return fd;
}

Result<FileStamp> stamp(const Fd& file) {
  struct stat s{};
  if (::fstat(file.get(), &s) != 0) return std::unexpected(system_error("stat", "file", errno));
  return stamp_of(s);
}

Result<FileStamp> stamp(const Path& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return std::unexpected(system_error("stat", path, errno));
  return stamp_of(s);
}

Result<std::string> read_file(const Path& path, std::uint64_t bytes_max) {
  const Fd file = LOAM_TRY(open_read(path));
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(system_error("read", path, errno));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > bytes_max)
      return fail(ErrorCode::kResourceExhausted,
                  format("read {}: larger than {} bytes", path.string(), bytes_max));
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<> write_file_atomic(const Path& path, std::string_view content, unsigned mode) {
  const Path temporary = path.string() + random_id(".tmp-");
  {
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.valid()) return std::unexpected(system_error("create", temporary, errno));
    auto written = write_all(file, temporary, content);
    if (written && ::fsync(file.get()) != 0)
      written = std::unexpected(system_error("sync", temporary, errno));
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    return std::unexpected(system_error("rename", path, error_number));
  }
  return sync_folder(path.parent_path());
}

Result<Path> real_path(const Path& path) {
  std::error_code error;
  Path real = std::filesystem::canonical(path, error);
  if (error) return std::unexpected(system_error("follow", path, error.value()));
  return real;
}

Result<> make_folder(const Path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (path.has_parent_path() && path.parent_path() != path)
    LOAM_TRY(make_folder(path.parent_path()));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(system_error("make folder", path, errno));
  return sync_folder(path.parent_path());
}

Result<> remove_file(const Path& path) {
  if (::unlink(path.c_str()) != 0) return std::unexpected(system_error("remove", path, errno));
  return {};
}

Result<std::uint64_t> free_bytes(const Path& path) {
  struct statvfs s{};
  if (::statvfs(path.c_str(), &s) != 0) return std::unexpected(system_error("stat", path, errno));
  return std::uint64_t{s.f_bavail} * s.f_frsize;
}

namespace {
constexpr int kLockAttempts = 10;
constexpr std::chrono::milliseconds kLockWait{10};
}  // namespace

Result<FileLock> FileLock::acquire(const Path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return std::unexpected(system_error("open lock", path, errno));
  int attempts = 0;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (++attempts == kLockAttempts) {
      const auto held = read_file(path, 64);
      return fail(ErrorCode::kAlreadyExists, format("lock {}: held by process {}", path.string(),
                                                    held ? std::string(trim(*held)) : "?"));
    }
    std::this_thread::sleep_for(kLockWait);
  }
  const std::string pid = format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0) return std::unexpected(system_error("write", path, errno));
  LOAM_TRY(write_all(fd, path, pid));
  return FileLock(std::move(fd));
}

Result<FileLock> FileLock::acquire_after(const Path& path, int tries_max) {
  auto held = acquire(path);
  for (int tries = 1; tries < tries_max && !held; ++tries) {
    if (held.error().code != ErrorCode::kAlreadyExists) break;
    held = acquire(path);
  }
  return held;
}

std::optional<std::int64_t> FileLock::holder(const Path& path) {
  const auto file = open_read(path);
  // A shared lock is tried and given back at once.
  if (!file || ::flock(file->get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  const auto text = read_file(path, 64);
  return text ? parse_int(trim(*text)).value_or(0) : 0;
}

}  // namespace loam::env
