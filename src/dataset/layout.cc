#include "dataset/layout.h"

#include <algorithm>
#include <utility>

#include "env/file.h"
#include "env/public_folder.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr unsigned kPublic = 0644;

}  // namespace

FileReader::FileReader(const env::Path& path) : path_(path), file_(env::open_read(path)) {}

std::string_view FileReader::peek(std::size_t bytes) {
  while (file_ && end_ - begin_ < bytes) {
    std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
    end_ -= std::exchange(begin_, 0);
    buffer_.resize(std::max({buffer_.size(), bytes, kBufferBytes}));
    const auto got = env::read_at(*file_, path_, offset_, std::span(buffer_).subspan(end_));
    if (!got) file_ = std::unexpected(got.error());
    if (!got || *got == 0) break;
    offset_ += *got;
    end_ += *got;
  }
  return as_text(ByteView(buffer_).subspan(begin_, std::min(bytes, end_ - begin_)));
}

std::string_view FileReader::next(std::size_t bytes) {
  const std::string_view out = peek(bytes);
  begin_ += out.size();
  return out;
}

std::string_view FileReader::next_lines(std::size_t bytes) {
  for (;; bytes *= 2) {
    const std::string_view there = peek(bytes);
    const std::size_t last = there.rfind('\n');
    if (last != std::string_view::npos) return next(last + 1);
    if (there.size() < bytes) return next(bytes);
  }
}

Result<> FileReader::state() const {
  if (!file_) return std::unexpected(file_.error());
  return {};
}

FileWriter::FileWriter(env::Path path, env::Fd file, std::string name)
    : path_(std::move(path)), file_(std::move(file)) {
  info_.name = std::move(name);
}

Result<FileWriter> FileWriter::create(const env::Path& folder, std::string name) {
  const env::Path path = folder / name;
  LOAM_TRY(env::make_public_folder(path.parent_path()));
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
