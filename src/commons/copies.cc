#include "commons/copies.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/format.h"
#include "base/log.h"
#include "base/utf8.h"
#include "env/file.h"

namespace loam::commons {
namespace {

constexpr std::uint64_t kListBytesMax = std::uint64_t{16} << 20;
constexpr std::size_t kPieceBytes = 1U << 20;
constexpr const char* kDatasetBodies = "bodies.jsonl";  // docs/formats/dataset.md
/// What a killed export leaves of a body is named as the body, with this and more behind.
constexpr const char* kUnfinished = ".tmp-";
constexpr const char* kDatasetUnfinished = ".building";  // behind the name of its folder

enum class Texts { kNone, kErased, kLeft };

/// @return whether there were any.
Result<bool> remove_bodies(const env::Path& folder, std::span<const ledger::RecordId> records) {
  const auto files = env::names_in(folder);
  if (!files && files.error().code == ErrorCode::kNotFound) return false;
  if (!files) return std::unexpected(files.error());
  std::set<std::string> names;
  for (const ledger::RecordId& record : records) names.insert(to_text(record));
  bool removed = false;
  for (const std::string& file : *files) {
    if (!names.contains(file.substr(0, file.find(kUnfinished)))) continue;
    LOAM_TRY(env::remove_tree(folder / file));
    removed = true;
  }
  LOAM_TRY(env::sync_folder(folder));  // also of a call that was cut off
  return removed;
}

Texts erase_from_export(const env::Path& folder, std::span<const ledger::RecordId> records) {
  const auto removed = remove_bodies(folder / "body", records);
  if (removed) return *removed ? Texts::kErased : Texts::kNone;
  log::warning("commons", "a retracted text stays in an export: {}", removed.error().message);
  return Texts::kLeft;
}

/// Whether a data set's texts are, or may be, those of one of `records`, among others.
bool dataset_holds(const env::Path& bodies, std::span<const ledger::RecordId> records) {
  const auto file = env::open_read(bodies);
  if (!file) return file.error().code != ErrorCode::kNotFound;
  std::vector<std::string> names;
  for (const ledger::RecordId& record : records) names.push_back(to_text(record));
  const std::size_t overlap = names.empty() ? 0 : names.front().size();
  std::string piece;
  Bytes more(kPieceBytes);
  for (std::uint64_t at = 0;;) {
    const auto n = env::read_at(*file, bodies, at, more);
    if (!n || *n == 0) return !n.has_value();
    at += *n;
    piece += as_text(ByteView(more).first(*n));
    for (const std::string& name : names)
      if (piece.contains(name)) return true;
    piece.erase(0, piece.size() - std::min(piece.size(), overlap));
  }
}

}  // namespace

Copies Copies::of(const env::Folders& folders) {
  return Copies(folders.data / "commons" / "copies");
}

Result<> Copies::remember(const env::Path& folder) const {
  if (!env::stamp(list_.parent_path())) return {};
  const std::string name = std::filesystem::absolute(folder).lexically_normal().string();
  if (!is_valid_utf8(name) || name.contains('\n'))
    return fail(ErrorCode::kInvalidArgument,
                format("folder {}: its name is not one line of UTF-8", replace_invalid_utf8(name)),
                "retractions must find what is written there: choose another name");
  const env::Fd list = LOAM_TRY(env::open_append(list_, 0600));
  const std::string known = LOAM_TRY(env::read_file(list_, kListBytesMax));
  if (!("\n" + known).contains("\n" + name + "\n")) {
    // A power cut may have left half a name, which must not become the beginning of this one.
    const bool torn = !known.empty() && !known.ends_with('\n');
    const std::string line = (torn ? "\n" : "") + name + "\n";
    if (known.size() + line.size() > kListBytesMax)
      return fail(ErrorCode::kResourceExhausted,
                  format("folder {}: the list {} of folders that retractions reach is full", name,
                         list_.string()),
                  "delete the lines of folders that are gone, or write to one that is listed");
    LOAM_TRY(env::write_all(list, list_, line));
  }
  // Also what another program wrote, and may not have made durable yet.
  LOAM_TRY(env::sync_file(list, list_));
  return env::sync_folder(list_.parent_path());
}

Result<std::vector<env::Path>> Copies::list() const {
  std::vector<env::Path> out;
  if (!env::stamp(list_)) return out;
  const std::string list = LOAM_TRY(env::read_file(list_, kListBytesMax));
  std::set<std::string_view> seen;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('\n', at), list.size());
    const std::string_view name = std::string_view(list).substr(at, end - at);
    at = end + 1;
    if (!name.empty() && seen.insert(name).second) out.emplace_back(name);
  }
  return out;
}

Result<Copies::Reached> Copies::erase(std::span<const ledger::RecordId> records) const {
  Reached out;
  for (const env::Path& folder : LOAM_TRY(list())) {
    // A build, or what is left of one, may have read the texts. Before the folder that it becomes.
    const env::Path building = folder.string() + kDatasetUnfinished;
    const auto there = env::stamp(building);
    if (there || there.error().code != ErrorCode::kNotFound) out.left.push_back(building);
    const Texts texts = erase_from_export(folder, records);
    if (texts == Texts::kErased) out.erased.push_back(folder);
    if (texts == Texts::kLeft || dataset_holds(folder / kDatasetBodies, records))
      out.left.push_back(folder);
  }
  return out;
}

}  // namespace loam::commons
