#include "pool/files.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::pool {
namespace {

constexpr std::string_view kUnfinished = "unfinished-";
constexpr std::uint64_t kInfoBytesMax = 64U << 10;

/// A folder for each file: `content`, and `about.json`.
class FileStoreImpl final : public FileStore {
 public:
  FileStoreImpl(env::Path folder, env::Clock& clock) : folder_(std::move(folder)), clock_(clock) {}

  Result<> clean() const {
    for (const std::string& name : LOAM_TRY(env::names_in(folder_)))
      if (name.starts_with(kUnfinished)) LOAM_TRY(env::remove_tree(folder_ / name));
    return {};
  }

  Result<StoredFile> add(const std::string& caller, const std::string& filename,
                         const std::string& purpose, std::string_view content) override {
    const std::scoped_lock lock(mutex_);
    LOAM_TRY(check_room(caller, content.size()));
    StoredFile file;
    file.id = env::random_id("file-");
    file.caller = caller;
    file.filename = filename;
    file.purpose = purpose;
    file.bytes = content.size();
    file.sha256 = crypto::sha256(as_bytes(content));
    file.created_ms = clock_.wall_ms();
    file.content = folder_ / file.id / "content";
    const env::Path draft = folder_ / (std::string(kUnfinished) + file.id);
    if (auto written = write(draft, file, content); !written) {
      static_cast<void>(env::remove_tree(draft));  // else the next start does
      return std::unexpected(written.error());
    }
    return file;
  }

  Result<StoredFile> find(const std::string& caller, std::string_view id) override {
    const bool plain = id.starts_with("file-") && std::ranges::all_of(id, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-';
                       });
    if (plain && id.size() < 64) {
      auto file = read(std::string(id));
      if (file && file->caller == caller) return file;
      if (!file && file.error().code != ErrorCode::kNotFound) return file;
    }
    return fail(ErrorCode::kNotFound, "file: none of yours has this id");
  }

  Result<std::vector<StoredFile>> list(const std::string& caller) override {
    std::vector<StoredFile> out;
    for (const std::string& name : LOAM_TRY(env::names_in(folder_)))
      if (auto file = find(caller, name)) out.push_back(*std::move(file));
    std::ranges::sort(out, [](const StoredFile& a, const StoredFile& b) {
      return std::pair(b.created_ms, b.id) < std::pair(a.created_ms, a.id);
    });
    return out;
  }

  Result<> remove(const std::string& caller, std::string_view id) override {
    const std::scoped_lock lock(mutex_);
    const StoredFile file = LOAM_TRY(find(caller, id));
    const env::Path leaving = folder_ / (std::string(kUnfinished) + file.id);
    LOAM_TRY(env::rename_file(folder_ / file.id, leaving));
    return env::remove_tree(leaving);
  }

 private:
  Result<> check_room(const std::string& caller, std::uint64_t more) {
    std::uint64_t bytes = more;
    const auto files = LOAM_TRY(list(caller));
    for (const StoredFile& file : files) bytes += file.bytes;
    if (files.size() < kFilesMax && bytes <= kFilesBytesMax) return {};
    return fail(ErrorCode::kResourceExhausted,
                format("keep a file: you have {} files already; {} of them and {} MiB may be kept",
                       files.size(), kFilesMax, kFilesBytesMax >> 20),
                "delete some that are no longer needed");
  }

  Result<> write(const env::Path& draft, const StoredFile& file, std::string_view content) const {
    LOAM_TRY(env::make_folder(draft));
    const codec::Value about = codec::Object{{"caller", file.caller},
                                             {"filename", file.filename},
                                             {"purpose", file.purpose},
                                             {"bytes", file.bytes},
                                             {"sha256", crypto::digest_hex(file.sha256)},
                                             {"created_ms", file.created_ms}};
    LOAM_TRY(env::write_file_atomic(draft / "about.json", codec::to_json(about, 2) + "\n", 0600));
    LOAM_TRY(env::write_file_atomic(draft / "content", content, 0600));
    return env::rename_file(draft, folder_ / file.id);
  }

  Result<StoredFile> read(const std::string& id) const {
    const env::Path folder = folder_ / id;
    const std::string text = LOAM_TRY(env::read_file(folder / "about.json", kInfoBytesMax));
    const auto about = codec::parse_json(text);
    const auto word = [&](std::string_view name) {
      const codec::Value* found = about ? about->find(name) : nullptr;
      return found == nullptr || found->as_string() == nullptr ? std::string()
                                                               : *found->as_string();
    };
    const auto number = [&](std::string_view name) {
      const codec::Value* found = about ? about->find(name) : nullptr;
      return found == nullptr || found->as_int() == nullptr ? 0 : *found->as_int();
    };
    const auto sha256 = crypto::parse_digest(word("sha256"));
    if (!sha256)
      return fail(ErrorCode::kCorrupt, format("{}: damaged", (folder / "about.json").string()),
                  "upload the file again");
    return StoredFile{id,
                      word("caller"),
                      word("filename"),
                      word("purpose"),
                      static_cast<std::uint64_t>(number("bytes")),
                      *sha256,
                      number("created_ms"),
                      folder / "content"};
  }

  const env::Path folder_;
  env::Clock& clock_;
  std::mutex mutex_;  // for changes: room is counted, then taken
};

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(env::Path folder, env::Clock& clock) {
  LOAM_TRY(env::make_folder(folder));
  auto out = std::make_unique<FileStoreImpl>(std::move(folder), clock);
  LOAM_TRY(out->clean());
  return out;
}

}  // namespace loam::pool
