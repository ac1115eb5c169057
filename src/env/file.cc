#include "env/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace loam::env {
namespace {

Result<Fd> open_with(const Path& path, int flags, unsigned mode) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode));
  if (!file.valid()) return std::unexpected(system_error("create", path, errno));
  return file;
}

}  // namespace

Result<Fd> open_append(const Path& path, unsigned mode) {
  return open_with(path, O_APPEND | O_NOFOLLOW, mode);
}

Result<Fd> create_file(const Path& path, unsigned mode) { return open_with(path, O_EXCL, mode); }

Result<> truncate(const Fd& file, const Path& path, std::uint64_t bytes) {
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return std::unexpected(system_error("cut", path, errno));
  return {};
}

Result<> write_all(const Fd& file, const Path& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(system_error("write", path, errno));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> sync_file(const Fd& file, const Path& path) {
  if (::fsync(file.get()) != 0) return std::unexpected(system_error("sync", path, errno));
  return {};
}

Result<> sync_folder(const Path& folder) {
  const Path path = folder.empty() ? Path(".") : folder;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0)
    return std::unexpected(system_error("sync folder", path, errno));
  return {};
}

Result<std::size_t> read_at(const Fd& file, const Path& path, std::uint64_t offset,
                            std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(file.get(), out.data() + done, out.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(system_error("read", path, errno));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<> rename_file(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return std::unexpected(system_error("rename to " + to.string(), from, errno));
  return sync_folder(to.parent_path());
}

Result<> link_file(const Path& from, const Path& to) {
  if (::link(from.c_str(), to.c_str()) != 0)
    return std::unexpected(system_error("link as " + to.string(), from, errno));
  return {};
}

Result<> remove_tree(const Path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return std::unexpected(system_error("remove", path, error.value()));
  return {};
}

bool is_same_file(const Path& a, const Path& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

bool is_plain_file(const Path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

Result<std::vector<std::string>> names_in(const Path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename().string());
  if (error) return std::unexpected(system_error("list", folder, error.value()));
  return names;
}

Result<std::vector<std::string>> names_if_there(const Path& folder) {
  auto names = names_in(folder);
  if (!names && names.error().code == ErrorCode::kNotFound) return std::vector<std::string>();
  if (names) std::ranges::sort(*names);
  return names;
}

Result<unsigned> permissions(const Path& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return std::unexpected(system_error("stat", path, errno));
  return s.st_mode & 07777U;
}

Result<> set_permissions(const Path& path, unsigned mode) {
  if (::chmod(path.c_str(), mode) != 0)
    return std::unexpected(system_error("set permissions of", path, errno));
  return {};
}

}  // namespace loam::env
