#include "store/page_gaps.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "store/sqlite_error.h"

namespace loam::store {
namespace {

// @source sqlite.org/fileformat2.html, sections 1.3 (header) and 1.6 (b-tree pages).
constexpr std::size_t kHeaderBytes = 100;  // of the file, on its first page
constexpr std::uint8_t kInteriorIndex = 2, kInteriorTable = 5, kLeafIndex = 10, kLeafTable = 13;

struct CloseStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

/// The file through SQLite's own handle: closing another one would drop its locks.
class File {
 public:
  File(sqlite3* db, const env::Path& path) : db_(db), path_(path) {
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file_);
  }
  bool is_open() const { return file_ != nullptr && file_->pMethods != nullptr; }
  Result<std::uint64_t> size() const {
    sqlite3_int64 bytes = 0;
    LOAM_TRY(checked(file_->pMethods->xFileSize(file_, &bytes)));
    return static_cast<std::uint64_t>(bytes);
  }
  Result<> read(std::span<std::uint8_t> out, std::uint64_t at) const {
    return checked(file_->pMethods->xRead(file_, out.data(), static_cast<int>(out.size()),
                                          static_cast<sqlite3_int64>(at)));
  }
  Result<> write(std::span<const std::uint8_t> bytes, std::uint64_t at) const {
    return checked(file_->pMethods->xWrite(file_, bytes.data(), static_cast<int>(bytes.size()),
                                           static_cast<sqlite3_int64>(at)));
  }
  Result<> sync() const { return checked(file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL)); }

 private:
  Result<> checked(int status) const {
    if (status == SQLITE_OK) return {};
    return std::unexpected(sqlite_error(db_, path_, "overwrite erased text in", status));
  }
  sqlite3* db_;
  const env::Path& path_;
  sqlite3_file* file_ = nullptr;
};

std::size_t number16(std::span<const std::uint8_t> page, std::size_t at) {
  return (std::size_t{page[at]} << 8U) | page[at + 1];
}
std::uint32_t number32(std::span<const std::uint8_t> page, std::size_t at) {
  return static_cast<std::uint32_t>((number16(page, at) << 16U) | number16(page, at + 2));
}

/// Walks the trees below `pages`, each page once.
class GapCleaner {
 public:
  GapCleaner(const File& file, const env::Path& path, std::size_t page_bytes, std::uint64_t pages)
      : file_(file), path_(path), page_(page_bytes), seen_(pages + 1, false) {}

  Result<> clean(std::vector<std::uint32_t> pages) {
    bool wrote = false;
    while (!pages.empty()) {
      const std::uint32_t number = pages.back();
      pages.pop_back();
      if (number == 0 || number >= seen_.size() || seen_[number]) return not_a_tree();
      seen_[number] = true;
      wrote = LOAM_TRY(clean_page(number, pages)) || wrote;
    }
    return wrote ? file_.sync() : Result<>();
  }

 private:
  std::unexpected<Error> not_a_tree() const {
    return std::unexpected(damaged(path_, "its pages do not form trees"));
  }

  /// @return whether there was anything. Adds the children of an interior page to `pages`.
  Result<bool> clean_page(std::uint32_t number, std::vector<std::uint32_t>& pages) {
    const std::uint64_t place = (std::uint64_t{number} - 1) * page_.size();
    LOAM_TRY(file_.read(page_, place));
    const std::size_t head = number == 1 ? kHeaderBytes : 0;
    const std::uint8_t type = page_[head];
    const bool interior = type == kInteriorIndex || type == kInteriorTable;
    if (!interior && type != kLeafIndex && type != kLeafTable) return not_a_tree();
    const std::size_t cells = number16(page_, head + 3);
    const std::size_t pointers = head + (interior ? 12 : 8);
    const std::size_t gap_begin = pointers + 2 * cells;
    const std::size_t stored_end = number16(page_, head + 5);
    const std::size_t gap_end = stored_end == 0 ? 65'536 : stored_end;  // 0 stands for 65,536
    if (gap_begin > gap_end || gap_end > page_.size()) return not_a_tree();
    if (interior) {
      pages.push_back(number32(page_, head + 8));
      for (std::size_t i = 0; i < cells; ++i) {
        const std::size_t cell = number16(page_, pointers + 2 * i);
        if (cell + 4 > page_.size()) return not_a_tree();
        pages.push_back(number32(page_, cell));
      }
    }
    const auto gap = std::span(page_).subspan(gap_begin, gap_end - gap_begin);
    if (std::ranges::all_of(gap, [](std::uint8_t byte) { return byte == 0; })) return false;
    std::ranges::fill(gap, std::uint8_t{0});
    LOAM_TRY(file_.write(gap, place + gap_begin));
    return true;
  }

  const File& file_;
  const env::Path& path_;
  std::vector<std::uint8_t> page_;
  std::vector<bool> seen_;
};

/// The first page of each tree.
Result<std::vector<std::uint32_t>> roots(sqlite3* db, const env::Path& path) {
  sqlite3_stmt* handle = nullptr;
  int status = sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE rootpage > 1", -1,
                                  &handle, nullptr);
  const std::unique_ptr<sqlite3_stmt, CloseStatement> rows(handle);
  std::vector<std::uint32_t> out = {1};  // that of the schema itself
  while (status == SQLITE_OK || status == SQLITE_ROW) {
    status = sqlite3_step(handle);
    if (status == SQLITE_DONE) return out;
    if (status == SQLITE_ROW)
      out.push_back(static_cast<std::uint32_t>(sqlite3_column_int64(handle, 0)));
  }
  return std::unexpected(sqlite_error(db, path, "read the schema of", status));
}

}  // namespace

Result<> zero_page_gaps(sqlite3* db, const env::Path& path) {
  const File file(db, path);
  if (!file.is_open()) return {};  // in memory
  const std::uint64_t bytes = LOAM_TRY(file.size());
  if (bytes < kHeaderBytes) return {};  // nothing was ever written
  std::array<std::uint8_t, kHeaderBytes> header{};
  LOAM_TRY(file.read(header, 0));
  const std::size_t stored = number16(header, 16);
  const std::size_t page_bytes = stored == 1 ? 65'536 : stored;  // 1 stands for 65,536
  if (page_bytes < 512 || bytes % page_bytes != 0)
    return std::unexpected(damaged(path, "its size is not that of whole pages"));
  const auto trees = LOAM_TRY(roots(db, path));
  GapCleaner cleaner(file, path, page_bytes, bytes / page_bytes);
  LOAM_TRY(cleaner.clean(trees));
  // Pages in the cache still have what was in their gaps, and would be written with it.
  sqlite3_db_release_memory(db);
  return {};
}

}  // namespace loam::store
