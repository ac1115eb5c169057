// resume_log(): a log that stopped signing is brought level with a copy of it.
#include <algorithm>
#include <utility>

#include "base/format.h"
#include "ledger/home.h"
#include "ledger/restore.h"

namespace loam::ledger {
namespace {

constexpr std::uint64_t kPublishedAtOnceMax = 4096;  // as Log does

std::unexpected<Error> two_histories(const LogSource& copy, std::string_view why) {
  return fail(ErrorCode::kCorrupt,
              format("resume from {}: {}; either it is damaged, or this log was signed in two "
                     "places and has two histories",
                     copy.name(), why),
              "try another copy; if none fits, keep both checkpoints, which prove it, and start "
              "another log: loam ledger resume --new-log");
}

/// One resumption; used once.
class Resumption {
 public:
  Resumption(const LogHome& home, const LogKeys& keys, Storage& storage, LogSource& copy,
             const OnVerified& on_record)
      : setup_(home.setup()),
        key_(home.verifier_key(keys)),
        rules_{home.net, crypto::sha256(keys.log.public_key())},
        log_key_(keys.log),
        storage_(storage),
        copy_(copy),
        on_record_(on_record) {}

  Result<Resumed> run() {
    theirs_ = LOAM_TRY(read_checkpoint(copy_, key_)).checkpoint;
    TileWriter tiles = LOAM_TRY(TileWriter::open(setup_.folder, key_));
    LOAM_TRY(check_long_enough(tiles));
    static_cast<void>(LOAM_TRY(restore_from_tiles(storage_, setup_.folder, tiles, rules_)));
    out_.fetched = LOAM_TRY(storage_.size());
    LOAM_TRY(add_missing(tiles.size()));
    out_.fetched = LOAM_TRY(storage_.size()) - out_.fetched;
    LOAM_TRY(publish(tiles));
    LOAM_TRY(add_bodies());
    LOAM_TRY(check_holds_head(tiles));
    // Last: until here the log refuses to sign, and all of this may be done again.
    LOAM_TRY(keep_head(setup_.head_file,
                       {.origin = key_.name, .size = tiles.size(), .root = tiles.root()},
                       log_key_));
    out_.records = LOAM_TRY(storage_.size());
    return out_;
  }

 private:
  /// Everything that was signed, as far as is known here, must be in the copy or in our own tiles.
  Result<> check_long_enough(const TileWriter& tiles) {
    auto kept = kept_head(setup_.head_file, key_);
    if (!kept)
      return fail(kept.error().code, kept.error().message,
                  "if that file does not belong here, move it away and try again");
    kept_ = *std::move(kept);
    if (kept_ && std::max(theirs_.size, tiles.size()) < kept_->size)
      return fail(ErrorCode::kNotFound,
                  format("resume from {}: it ends at {} records, and {} were signed", copy_.name(),
                         theirs_.size, kept_->size),
                  "find a newer copy: a mirror, an export, somebody who follows the log");
    if (theirs_.size > tiles.size() || theirs_.size == 0) return {};
    const auto read = tile_reader(setup_.folder, tiles.size());
    if (LOAM_TRY(crypto::tree_root(theirs_.size, read)) != theirs_.root)
      return two_histories(copy_, format("its {} records are not those here", theirs_.size));
    return {};
  }

  /// In one transaction: the checkpoint's root says of all of them at once that they are right.
  Result<> add_missing(std::uint64_t have) {
    if (theirs_.size <= have) return {};
    const std::uint64_t stored = LOAM_TRY(storage_.size());
    auto frontier = LOAM_TRY(crypto::Frontier::load(have, tile_reader(setup_.folder, have)));
    return storage_.transaction([&]() -> Result<> {
      for (std::uint64_t at = have; at < theirs_.size; at = (at / kTileWidth + 1) * kTileWidth) {
        if (!on_record_(at, theirs_.size))
          return fail(ErrorCode::kCancelled, "resume: stopped; nothing was changed");
        const std::uint64_t bundle = at / kTileWidth, first = bundle * kTileWidth;
        const auto entries =
            LOAM_TRY(read_bundle(copy_, bundle, std::min(theirs_.size - first, kTileWidth)));
        for (std::uint64_t i = at - first; i < entries.size(); ++i) {
          frontier.append(crypto::leaf_hash(entries[i]));
          LOAM_TRY(add(first + i, entries[i], stored));
        }
      }
      on_record_(theirs_.size, theirs_.size);
      if (frontier.root() == theirs_.root) return {};
      return two_histories(copy_, format("its records do not go on from the {} here", have));
    });
  }

  Result<> add(std::uint64_t index, const Bytes& entry, std::uint64_t stored) {
    if (index < stored) {
      if (LOAM_TRY(storage_.entries(index, 1)).front() == entry) return {};
      return two_histories(copy_, format("record {} is another one in the database here", index));
    }
    const auto record = verify_record(entry, rules_.net);
    const auto delta = record ? apply(storage_, *record, rules_) : std::unexpected(record.error());
    if (!delta)
      return fail(ErrorCode::kCorrupt, format("resume from {}: record {}: {}", copy_.name(), index,
                                              delta.error().message));
    static_cast<void>(LOAM_TRY(storage_.append(*record, *delta)));
    return {};
  }

  /// The same tree gets the same checkpoint.
  Result<> publish(TileWriter& tiles) {
    while (tiles.size() < theirs_.size) {
      const auto entries = LOAM_TRY(storage_.entries(
          tiles.size(), std::min(theirs_.size - tiles.size(), kPublishedAtOnceMax)));
      LOAM_TRY(tiles.publish(entries, log_key_));
    }
    return {};
  }

  Result<> add_bodies() {
    for (std::uint64_t at = 0; at < theirs_.size; at += kTileWidth) {
      const std::uint64_t end = std::min(at + kTileWidth, theirs_.size);
      auto added = storage_.transaction([&]() -> Result<> {
        for (std::uint64_t i = at; i < end; ++i) LOAM_TRY(add_body(i));
        return {};
      });
      LOAM_TRY(std::move(added));
    }
    return {};
  }

  Result<> add_body(std::uint64_t index) {
    const auto stored = LOAM_TRY(storage_.at(index));
    if (!stored || stored->retracted || !stored->record.header.body_commitment) return {};
    const RecordId& id = stored->record.id;
    if (LOAM_TRY(storage_.body(id))) return {};
    const auto body = copy_.body(id);
    if (!body && body.error().code != ErrorCode::kNotFound &&
        body.error().code != ErrorCode::kCorrupt)
      return std::unexpected(body.error());
    if (!body || commitment(*body) != *stored->record.header.body_commitment) {
      ++out_.without;
      return {};
    }
    ++out_.bodies;
    return storage_.put_body(id, *body);
  }

  Result<> check_holds_head(const TileWriter& tiles) {
    if (!kept_ || kept_->size == 0) return {};
    const auto read = tile_reader(setup_.folder, tiles.size());
    if (LOAM_TRY(crypto::tree_root(kept_->size, read)) == kept_->root) return {};
    return two_histories(
        copy_, format("its first {} records are not those that were signed", kept_->size));
  }

  const LogSetup setup_;
  const crypto::VerifierKey key_;
  const LogRules rules_;
  const crypto::SigningKey& log_key_;
  Storage& storage_;
  LogSource& copy_;
  const OnVerified& on_record_;
  crypto::Checkpoint theirs_;
  std::optional<crypto::Checkpoint> kept_;  // what this node knows to have been signed
  Resumed out_;
};

}  // namespace

Result<Resumed> resume_log(const LogHome& home, LogSource& copy, const OnVerified& on_record) {
  const auto keys = read_keys(home.keys());
  if (!keys && keys.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, format("resume: {}", keys.error().message),
                "the log's key is needed: loam identity restore FILE");
  if (!keys) return std::unexpected(keys.error());
  const auto storage = LOAM_TRY(open_sqlite_storage(home.database()));
  return Resumption(home, *keys, *storage, copy, on_record).run();
}

}  // namespace loam::ledger
