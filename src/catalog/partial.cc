#include "catalog/partial.h"

#include "base/format.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "env/file.h"

namespace loam::catalog {
namespace {

constexpr std::uint64_t kSideFileBytesMax = 64U << 10;

struct SideFile {
  std::string etag;
  std::uint64_t total = 0;
};

/// Empty if it is not there or not as we write it: then the bytes are of no use either.
std::optional<SideFile> read_side_file(const env::Path& path) {
  const auto text = env::read_file(path, kSideFileBytesMax);
  if (!text) return std::nullopt;
  const auto value = codec::parse_json(*text);
  if (!value) return std::nullopt;
  const codec::Value* etag = value->find("etag");
  const codec::Value* total = value->find("total");
  if (etag == nullptr || etag->as_string() == nullptr || total == nullptr ||
      total->as_int() == nullptr || *total->as_int() < 0)
    return std::nullopt;
  return SideFile{*etag->as_string(), static_cast<std::uint64_t>(*total->as_int())};
}

env::Path with_ending(const env::Path& base, const char* ending) { return base.string() + ending; }

}  // namespace

Result<Partial> Partial::open(const env::Path& folder, const std::string& url) {
  LOAM_TRY(env::make_folder(folder));
  const env::Path base = folder / crypto::digest_hex(crypto::sha256(as_bytes(url)));
  auto lock = env::FileLock::acquire(with_ending(base, ".lock"));
  if (!lock) return std::unexpected(lock.error());
  Partial partial(std::move(*lock), base);
  partial.path_ = with_ending(base, ".part");
  partial.file_ = LOAM_TRY(env::open_append(partial.path_, 0600));
  const env::FileStamp stamp = LOAM_TRY(env::stamp(partial.file_));
  partial.bytes_ = stamp.size;
  const auto side = read_side_file(with_ending(base, ".json"));
  if (side) {
    partial.etag_ = side->etag;
    partial.total_ = side->total;
  } else if (partial.bytes_ > 0) {
    LOAM_TRY(partial.restart());
  }
  return partial;
}

Result<> Partial::describe(const std::string& etag, std::uint64_t total) {
  if (etag == etag_ && total == total_ && bytes_ > 0) return {};
  const codec::Value side(codec::Object{{"etag", etag}, {"total", total}});
  LOAM_TRY(env::write_file_atomic(with_ending(base_, ".json"), codec::to_json(side), 0600));
  etag_ = etag;
  total_ = total;
  return {};
}

Result<> Partial::restart() {
  LOAM_TRY(env::truncate(file_, path_, 0));
  bytes_ = 0;
  etag_.clear();
  total_ = 0;
  return {};
}

Result<> Partial::append(std::string_view data) {
  auto written = env::write_all(file_, path_, data);
  if (written) {
    bytes_ += data.size();
    return {};
  }
  // A part of it may have been written: only what we counted is kept.
  LOAM_TRY(env::truncate(file_, path_, bytes_));
  return written;
}

Result<> Partial::sync() { return env::sync_file(file_, path_); }

Result<std::string> Partial::head(std::size_t count) const {
  const env::Fd file = LOAM_TRY(env::open_read(path_));
  std::string out(count, '\0');
  out.resize(LOAM_TRY(
      env::read_at(file, path_, 0, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()})));
  return out;
}

void Partial::remove() {
  for (const char* ending : {".part", ".json", ".lock"}) {
    const auto removed = env::remove_file(with_ending(base_, ending));
    if (!removed && removed.error().code != ErrorCode::kNotFound)
      log::warning("catalog", "a partial download stays: {}", removed.error().message);
  }
}

}  // namespace loam::catalog
