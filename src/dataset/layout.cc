#include "dataset/layout.h"

#include <algorithm>

#include "env/file.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr unsigned kPublic = 0644;

}  // namespace

FileWriter::FileWriter(env::Path path, env::Fd file, std::string name)
    : path_(std::move(path)), file_(std::move(file)) {
  info_.name = std::move(name);
}

Result<FileWriter> FileWriter::create(const env::Path& folder, std::string name) {
  const env::Path path = folder / name;
  LOAM_TRY(env::make_folder(path.parent_path()));
  return FileWriter(path, LOAM_TRY(env::create_file(path, kPublic)), std::move(name));
}

Result<> FileWriter::write(std::string_view text) {
  buffer_ += text;
  info_.bytes += text.size();
  info_.lines += static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
  if (buffer_.size() < kBufferBytes) return {};
  return flush();
}

Result<> FileWriter::flush() {
  hash_.update(as_bytes(buffer_));
  LOAM_TRY(env::write_all(file_, path_, buffer_));
  buffer_.clear();
  return {};
}

Result<FileInfo> FileWriter::finish() {
  LOAM_TRY(flush());
  LOAM_TRY(env::sync_file(file_, path_));
  info_.sha256 = hash_.finish();
  return info_;
}

}  // namespace loam::dataset
