#include "ledger/verify.h"

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"
#include "ledger/log_source.h"
#include "ledger/restore.h"

namespace loam::ledger {
namespace {

constexpr std::size_t kFaultsMax = 100;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{32} << 20;

/// What the entries so far mean, in memory: some 150 bytes for each.
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

  void add(const Record& record, const Delta& delta) {
    authors_[record.header.author] = delta.author;
    for (const auto& [key, author] : delta.named) authors_[key] = author;
    records_[record.id] = {record.header.kind, record.header.author};
  }

 private:
  struct Entry {
    Kind kind{};
    crypto::PublicKey author{};
  };
  std::map<crypto::PublicKey, AuthorState> authors_;
  std::map<RecordId, Entry> records_;
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
    if (storage_ != nullptr && LOAM_TRY(storage_->size()) < size)
      fault(format("the database has {} records, the log {}", LOAM_TRY(storage_->size()), size));
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
    ++out_.records;
    frontier_.append(crypto::leaf_hash(entry),
                     [&](crypto::NodeId node, const crypto::Digest& hash) {
                       if (node.level % 8 == 0)
                         tiles_[static_cast<int>(node.level / 8)].push_back(hash);
                     });
    const auto record = verify_record(entry, rules_.net);
    if (!record) return fault(format("record {}: {}", index, record.error().message));
    if (const auto delta = apply(seen_, *record, rules_))
      seen_.add(*record, *delta);
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
    if (!body) return {};
    ++out_.bodies;
    if (!record.header.body_commitment || commitment(*body) != *record.header.body_commitment)
      return fail(ErrorCode::kCorrupt, "its body or salt is not what was signed");
    return {};
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
  LOAM_TRY(env::make_folder(file.parent_path()));
  LOAM_TRY(env::write_file_atomic(file, content));
  return true;
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
    const env::Path file = target / "body" / to_text(stored->record.id);
    const auto body = LOAM_TRY(storage.body(stored->record.id));
    if (body && !stored->blocked)
      written += LOAM_TRY(write_if_other(file, body_json(*body))) ? 1U : 0U;
    else
      LOAM_TRY(env::remove_tree(file));
  }
  // Last, so that whoever reads it finds everything below it.
  const std::string note = LOAM_TRY(env::read_file(folder / "checkpoint", kFileBytesMax));
  written += LOAM_TRY(write_if_other(target / "checkpoint", note)) ? 1U : 0U;
  return written;
}

}  // namespace loam::ledger
