#include "ledger/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"
#include "env/public_folder.h"
#include "ledger/log_source.h"
#include "ledger/restore.h"

namespace loam::ledger {
namespace {

constexpr std::size_t kFaultsMax = 100;
constexpr int kTriesMax = 10;  // to see the database between two writes; chosen
constexpr std::uint64_t kFileBytesMax = std::uint64_t{32} << 20;

/// What the entries so far mean, in memory: some 200 bytes for each.
class Seen final : public StateReader {
 public:
  Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const override {
    const auto found = authors_.find(key);
    if (found == authors_.end()) return std::nullopt;
    return found->second;
  }
  /// Without its references, which apply() does not ask for.
  Result<std::optional<RecordState>> record(const RecordId& id) const override {
    const auto found = records_.find(id);
    if (found == records_.end()) return std::nullopt;
    return RecordState{.kind = found->second.kind, .author = found->second.author};
  }

  void add(std::uint64_t index, const Record& record, const Delta& delta) {
    authors_[record.header.author] = delta.author;
    for (const auto& [key, author] : delta.named) authors_[key] = author;
    records_[record.id] = {record.header.kind, record.header.author, index};
    for (const RecordId& target : record.header.refs) referring_[target].insert(index);
    if (delta.erased) erased_.insert(*delta.erased);
  }

  /// What the database says of the records together: where each is, which were withdrawn, what
  /// refers to what, who may write what next. @return what is wrong.
  Result<std::vector<std::string>> compare(Storage& storage) const {
    std::vector<std::string> out;
    for (const auto& [id, known] : records_) {
      const auto stored = LOAM_TRY(storage.find(id));
      if (!stored || stored->index != known.index)
        out.push_back(format("record {}: the database does not find it by its id", known.index));
      else if (stored->retracted != erased_.contains(id))
        out.push_back(format("record {}: the database has it {}retracted", known.index,
                             stored->retracted ? "" : "not "));
      std::set<std::uint64_t> referring;
      for (const StoredRecord& other : LOAM_TRY(storage.referring_to(id)))
        referring.insert(other.index);
      const auto wanted = referring_.find(id);
      if (referring != (wanted == referring_.end() ? std::set<std::uint64_t>() : wanted->second))
        out.push_back(format("record {}: the database lists others that refer to it", known.index));
    }
    for (const auto& [key, author] : authors_)
      if (LOAM_TRY(storage.author(key)) != author)
        out.push_back(format("author {}: the database has another state of it", to_hex(key)));
    return out;
  }

 private:
  struct Entry {
    Kind kind{};
    crypto::PublicKey author{};
    std::uint64_t index = 0;
  };
  std::map<crypto::PublicKey, AuthorState> authors_;
  std::map<RecordId, Entry> records_;
  std::map<RecordId, std::set<std::uint64_t>> referring_;
  std::set<RecordId> erased_;
};

/// One walk over a log, from its first record to its last.
class Walk {
 public:
  Walk(const env::Path& folder, crypto::Checkpoint checkpoint, const LogRules& rules,
       Storage* storage)
      : folder_(folder), rules_(rules), storage_(storage) {
    out_.checkpoint = std::move(checkpoint);
  }

  Result<Verified> run(const OnVerified& on_verified) {
    const std::uint64_t size = out_.checkpoint.size;
    for (std::uint64_t at = 0; at < size; at += kTileWidth) {
      if (!on_verified(at, size)) return fail(ErrorCode::kCancelled, "verify the log: stopped");
      check_bundle(at, std::min(at + kTileWidth, size));
    }
    on_verified(size, size);
    check_tiles();
    if (frontier_.size() == size && frontier_.root() != out_.checkpoint.root)
      fault(format("{}: its root is not that of the records", (folder_ / "checkpoint").string()));
    if (storage_ != nullptr) LOAM_TRY(check_database());
    return std::move(out_);
  }

 private:
  void fault(std::string what) {
    if (out_.faults.size() < kFaultsMax) out_.faults.push_back(std::move(what));
  }

  void check_bundle(std::uint64_t first, std::uint64_t last) {
    const auto entries = read_entries(folder_, out_.checkpoint.size, first, last);
    if (!entries) return fault(entries.error().message);
    for (std::uint64_t i = 0; i < entries->size(); ++i) check_entry(first + i, (*entries)[i]);
    check_parts(kEntries, first / kTileWidth, entries->size(), [&](std::uint64_t width) {
      return encode_bundle(
          {entries->begin(), entries->begin() + static_cast<std::ptrdiff_t>(width)});
    });
  }

  /// A tile or bundle, and those of earlier checkpoints that are its beginning.
  void check_parts(int level, std::uint64_t index, std::uint64_t width,
                   const std::function<Bytes(std::uint64_t)>& wanted) {
    std::vector<std::uint64_t> widths = {width};
    const auto names = env::names_in(folder_ / (tile_path(level, index) + ".p"));
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      const auto older = parse_int(name).value_or(0);
      if (older > 0 && static_cast<std::uint64_t>(older) < width)
        widths.push_back(static_cast<std::uint64_t>(older));
    }
    for (const std::uint64_t part : widths) {
      const env::Path file = folder_ / tile_path(level, index, part);
      const auto content = env::read_file(file, kFileBytesMax);
      if (!content)
        fault(format("log file {}: {}", file.string(), content.error().message));
      else if (!std::ranges::equal(as_bytes(*content), wanted(part)))
        fault(format("log file {}: does not fit the records", file.string()));
    }
  }

  void check_entry(std::uint64_t index, const Bytes& entry) {
    frontier_.append(crypto::leaf_hash(entry),
                     [&](crypto::NodeId node, const crypto::Digest& hash) {
                       if (node.level % 8 == 0)
                         tiles_[static_cast<int>(node.level / 8)].push_back(hash);
                     });
    check_record(index, entry);
  }

  void check_record(std::uint64_t index, const Bytes& entry) {
    ++out_.records;
    const auto record = verify_record(entry, rules_.net);
    if (!record) return fault(format("record {}: {}", index, record.error().message));
    if (const auto delta = apply(seen_, *record, rules_))
      seen_.add(index, *record, *delta);
    else
      fault(format("record {}: {}", index, delta.error().message));
    if (storage_ == nullptr) return;
    if (const auto checked = check_stored(index, *record); !checked)
      fault(format("record {}: {}", index, checked.error().message));
  }

  Result<> check_stored(std::uint64_t index, const Record& record) {
    const auto stored = LOAM_TRY(storage_->at(index));
    if (!stored || stored->record.bytes != record.bytes)
      return fail(ErrorCode::kCorrupt, "the database has another one");
    const auto body = LOAM_TRY(storage_->body(record.id));
    out_.erased += stored->retracted ? 1 : 0;
    if (stored->retracted && body)
      return fail(ErrorCode::kCorrupt, "it was retracted, and its body is still in the database");
    if (!body) return note_missing(index, record);
    ++out_.bodies;
    if (!record.header.body_commitment || commitment(*body) != *record.header.body_commitment)
      return fail(ErrorCode::kCorrupt, "its body or salt is not what was signed");
    return {};
  }

  /// It may have been erased since the record was read: the node goes on meanwhile.
  Result<> note_missing(std::uint64_t index, const Record& record) {
    const auto now = LOAM_TRY(storage_->at(index));
    if (now && !now->retracted && record.header.body_commitment) out_.missing.push_back(record.id);
    return {};
  }

  Result<> check_database() {
    if (const auto whole = storage_->check(); !whole) fault(whole.error().message);
    std::uint64_t looked_at = out_.checkpoint.size;
    for (int tries = 0; tries < kTriesMax; ++tries) {
      const std::uint64_t size = LOAM_TRY(storage_->size());
      if (size < out_.checkpoint.size) {
        fault(format("the database has {} records, the log {}", size, out_.checkpoint.size));
        return {};
      }
      for (; looked_at < size; ++looked_at) {  // committed, and not published yet
        const auto stored = LOAM_TRY(storage_->at(looked_at));
        if (!stored) {
          fault(format("record {}: the database does not have it", looked_at));
          return {};
        }
        check_record(looked_at, stored->record.bytes);
      }
      auto faults = seen_.compare(*storage_);
      if (LOAM_TRY(storage_->size()) != size) continue;  // the node goes on writing
      if (!faults) fault(faults.error().message);
      for (std::string& what : faults ? *faults : std::vector<std::string>())
        fault(std::move(what));
      return {};
    }
    return fail(ErrorCode::kUnavailable, "verify the log: records come in all the time",
                "try again later, or stop the node first");
  }

  void check_tiles() {
    for (const auto& level_hashes : tiles_) {
      const std::vector<crypto::Digest>& hashes = level_hashes.second;
      for (std::uint64_t first = 0; first < hashes.size(); first += kTileWidth) {
        const std::uint64_t width = std::min<std::uint64_t>(hashes.size() - first, kTileWidth);
        check_parts(level_hashes.first, first / kTileWidth, width, [&](std::uint64_t part) {
          Bytes wanted;
          for (std::uint64_t i = first; i < first + part; ++i)
            wanted.insert(wanted.end(), hashes[i].begin(), hashes[i].end());
          return wanted;
        });
      }
    }
  }

  const env::Path& folder_;
  const LogRules rules_;
  Storage* storage_;
  Verified out_;
  Seen seen_;
  crypto::Frontier frontier_;
  std::map<int, std::vector<crypto::Digest>> tiles_;  // all hashes of each level of tiles
};

/// Writes `content` unless the file has it. @return whether it was written.
Result<bool> write_if_other(const env::Path& file, std::string_view content) {
  const auto there = env::read_file(file, kFileBytesMax);
  if (there && *there == content) return false;
  LOAM_TRY(env::make_public_folder(file.parent_path()));
  LOAM_TRY(env::write_file_atomic(file, content));
  return true;
}

/// The body of the record at `index` as `file`, if it may be served. @return whether it was
/// written.
Result<bool> export_body(Storage& storage, std::uint64_t index, const RecordId& id,
                         const env::Path& file) {
  const auto served = [&]() -> Result<std::optional<SaltedBody>> {
    const auto stored = LOAM_TRY(storage.at(index));
    if (!stored || stored->blocked) return std::nullopt;
    return storage.body(id);
  };
  if (const auto body = LOAM_TRY(served())) {
    const bool written = LOAM_TRY(write_if_other(file, body_json(*body)));
    // Whoever retracts a record removes the files that are there: this one came later, perhaps.
    if (LOAM_TRY(served())) return written;
  }
  if (!env::stamp(file)) return false;
  LOAM_TRY(env::remove_tree(file));
  LOAM_TRY(env::sync_folder(file.parent_path()));
  return false;
}

/// Every tile and bundle of a tree of `size` leaves.
std::vector<std::string> files_of(std::uint64_t size) {
  std::vector<std::string> out;
  const auto add = [&](int level, std::uint64_t nodes) {
    for (std::uint64_t first = 0; first < nodes; first += kTileWidth)
      out.push_back(tile_path(level, first / kTileWidth, std::min(nodes - first, kTileWidth)));
  };
  add(kEntries, size);
  for (int level = 0; size >> (8 * level) > 0 && level < 8; ++level)
    add(level, size >> (8 * level));
  return out;
}

}  // namespace

Result<Verified> verify_log(const env::Path& folder, const crypto::VerifierKey& key,
                            const NetId& net, Storage* storage, const OnVerified& on_verified) {
  const crypto::Checkpoint checkpoint = LOAM_TRY(read_checkpoint(folder, key));
  return Walk(folder, checkpoint, {net, crypto::sha256(key.key)}, storage).run(on_verified);
}

Result<std::uint64_t> export_log(const env::Path& folder, const crypto::VerifierKey& key,
                                 Storage& storage, const env::Path& target) {
  const crypto::Checkpoint checkpoint = LOAM_TRY(read_checkpoint(folder, key));
  std::uint64_t written = 0;
  for (const std::string& name : files_of(checkpoint.size)) {
    const std::string content = LOAM_TRY(env::read_file(folder / name, kFileBytesMax));
    written += LOAM_TRY(write_if_other(target / name, content)) ? 1U : 0U;
  }
  for (std::uint64_t index = 0; index < checkpoint.size; ++index) {
    const auto stored = LOAM_TRY(storage.at(index));
    if (!stored) continue;
    const RecordId& id = stored->record.id;
    const env::Path file = target / "body" / to_text(id);
    written += LOAM_TRY(export_body(storage, index, id, file)) ? 1U : 0U;
  }
  // Last, so that whoever reads it finds everything below it.
  const std::string note = LOAM_TRY(env::read_file(folder / "checkpoint", kFileBytesMax));
  written += LOAM_TRY(write_if_other(target / "checkpoint", note)) ? 1U : 0U;
  return written;
}

}  // namespace loam::ledger
