#include "commons/follow_copy.h"

#include <algorithm>

#include "base/format.h"
#include "commons/source_tiles.h"
#include "env/file.h"
#include "ledger/tiles.h"

namespace loam::commons {
namespace {

constexpr std::uint64_t kBundlesAtOnce = 8;        // of records that are checked together
constexpr std::uint64_t kBytesAtOnce = 32U << 20;  // and no more of them than that; chosen
constexpr std::uint64_t kBodiesAtOnce = 64;        // in one transaction
constexpr std::size_t kLateBodiesMax = 256;        // tried again in one poll
constexpr std::int64_t kTriesMax = 100;            // then a body is given up
constexpr int kFailuresMax = 3;                    // one behind the other: the server is gone

std::string note_file(const env::Path& folder) { return folder / "checkpoint"; }
std::string table_file(const env::Path& folder) { return folder / "follow.db"; }

/// What a server that is there just does not give: the next request may work.
bool is_passing(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded;
}

/// What apply() refuses, and not what kept it from looking.
bool is_fault_of_record(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kAlreadyExists ||
         error.code == ErrorCode::kNotFound || error.code == ErrorCode::kPermissionDenied;
}

std::unexpected<Error> stopped() {
  return fail(ErrorCode::kCancelled, "the poll was ended before all was read");
}

/// A checkpoint out of a note of `key`.
Result<crypto::Checkpoint> open_checkpoint(const std::string& note,
                                           const crypto::VerifierKey& key) {
  const std::string body = LOAM_TRY(crypto::open_note(note, key));
  auto checkpoint = LOAM_TRY(crypto::parse_checkpoint(body));
  if (checkpoint.origin != key.name)
    return fail(ErrorCode::kCorrupt, "the checkpoint is that of another log");
  return checkpoint;
}

/// Who says to have signed the checkpoint in `note`: its first signature's name, and 30 of the 32
/// bits by which a key is known. Empty if it is no note of a checkpoint.
std::string signer_of(std::string_view note, const crypto::VerifierKey& key) {
  const auto opened = crypto::open_note(note, key);
  if (!opened && opened.error().code != ErrorCode::kCorrupt) return {};
  const std::size_t end = note.rfind("\n\n");  // of the body, in every note
  if (!crypto::parse_checkpoint(note.substr(0, end + 1))) return {};
  const std::string_view line = note.substr(end + 2, note.find('\n', end + 2) - (end + 2));
  constexpr std::size_t kHashCharacters = 5;
  return std::string(line.substr(0, line.rfind(' ') + 1 + kHashCharacters));
}

}  // namespace

std::string followed_id(const crypto::PublicKey& key) { return to_hex(ByteView(key).first(8)); }

Result<std::unique_ptr<FollowCopy>> FollowCopy::with(env::Path folder, FollowTable table) {
  auto storage = LOAM_TRY(ledger::open_sqlite_storage(folder / "records.db"));
  const std::uint64_t size = LOAM_TRY(storage->size());
  // Fewer records than bodies were asked for: the database was lost, and begins anew.
  if (LOAM_TRY(table.settled()) > size) LOAM_TRY(table.settle(size, {}));
  if (LOAM_TRY(table.compared()) > size) LOAM_TRY(table.set_compared(size));
  const std::uint64_t settled = LOAM_TRY(table.settled());
  const FollowedLog about = LOAM_TRY(table.about());
  auto key = LOAM_TRY(crypto::parse_verifier_key(about.key));
  std::unique_ptr<FollowCopy> out(
      new FollowCopy(std::move(folder), std::move(key), std::move(table), std::move(storage)));
  out->settled_ = settled;
  return out;
}

Result<std::unique_ptr<FollowCopy>> FollowCopy::open(const env::Path& folder) {
  return with(folder, LOAM_TRY(FollowTable::open(table_file(folder))));
}

Result<std::unique_ptr<FollowCopy>> FollowCopy::make(const env::Path& folder,
                                                     const std::string& url,
                                                     const crypto::VerifierKey& key,
                                                     std::int64_t now_ms) {
  LOAM_TRY(env::make_folder(folder));
  return with(folder, LOAM_TRY(FollowTable::make(table_file(folder), url, key.text(), now_ms)));
}

Result<FollowedLog> FollowCopy::about() {
  const crypto::Checkpoint head = LOAM_TRY(last_checkpoint());
  const std::scoped_lock lock(mutex_);
  FollowedLog out = LOAM_TRY(table_.about());
  out.id = folder_.filename();
  out.origin = key_.name;
  out.records = LOAM_TRY(storage_->size());
  out.behind = head.size - std::min(head.size, LOAM_TRY(table_.settled()));
  return out;
}

Result<> FollowCopy::set_polled(FollowState state, const std::string& trouble,
                                const std::string& evidence, std::int64_t now_ms) {
  const std::scoped_lock lock(mutex_);
  return table_.set_polled(state, trouble, evidence, now_ms);
}

Result<std::string> FollowCopy::last_note() const {
  auto note = env::read_file(note_file(folder_), ledger::kNoteBytesMax);
  if (!note && note.error().code == ErrorCode::kNotFound) return std::string();
  return note;
}

Result<crypto::Checkpoint> FollowCopy::last_checkpoint() const {
  const std::string note = LOAM_TRY(last_note());
  if (note.empty()) return crypto::Checkpoint{.origin = key_.name};
  return open_checkpoint(note, key_);
}

SearchedLog FollowCopy::searched(const std::shared_ptr<FollowCopy>& copy) {
  return {copy->key_.name, [copy]() -> Result<std::uint64_t> { return copy->settled_.load(); },
          [copy](std::uint64_t index) {
            const std::scoped_lock lock(copy->mutex_);
            return copy->storage_->at(index);
          },
          [copy](const ledger::RecordId& id) {
            const std::scoped_lock lock(copy->mutex_);
            return copy->storage_->body(id);
          }};
}

Result<std::optional<FollowedRecord>> FollowCopy::find(const ledger::RecordId& id) {
  const std::scoped_lock lock(mutex_);
  auto stored = LOAM_TRY(storage_->find(id));
  if (!stored) return std::nullopt;
  return FollowedRecord{key_.name, *std::move(stored), LOAM_TRY(storage_->body(id))};
}

Result<std::vector<ledger::RecordId>> FollowCopy::erased_ahead() {
  const std::scoped_lock lock(mutex_);
  std::vector<ledger::RecordId> out;
  const std::uint64_t size = LOAM_TRY(storage_->size());
  for (std::uint64_t i = LOAM_TRY(table_.settled()); i < size; ++i) {
    const auto stored = LOAM_TRY(storage_->at(i));
    if (!stored || stored->record.header.kind != ledger::Kind::kRetraction) continue;
    const ledger::RecordId& target = stored->record.header.refs.front();
    if (LOAM_TRY(storage_->record(target))) out.push_back(target);
  }
  return out;
}

Result<Polled> FollowCopy::poll(ledger::LogSource& source, std::uint64_t records_max,
                                const PollEvents& events) {
  auto polled = take(source, records_max, events);
  LOAM_TRY(scrub());  // however it ended
  return polled;
}

Result<> FollowCopy::scrub() {
  const std::scoped_lock lock(mutex_);
  if (!unscrubbed_) return {};
  LOAM_TRY(storage_->scrub());
  unscrubbed_ = false;
  return {};
}

Result<Polled> FollowCopy::take(ledger::LogSource& source, std::uint64_t records_max,
                                const PollEvents& events) {
  Polled out;
  out.came = LOAM_TRY(source.read("checkpoint", ledger::kNoteBytesMax));
  const auto came = open_checkpoint(out.came, key_);
  if (!came) {
    // What anybody's web server says by mistake is no word of any log.
    out.signer = signer_of(out.came, key_);
    if (out.signer.empty())
      return fail(ErrorCode::kCorrupt,
                  format("{}/checkpoint: what is served there is no checkpoint", source.name()));
    out.refused = "its checkpoint is not signed by the key that it is followed by";
    return out;
  }
  out.refused = LOAM_TRY(check_goes_on(source, *came));
  if (!out.refused.empty()) return out;
  LOAM_TRY(env::write_file_atomic(note_file(folder_), out.came, 0600));
  LOAM_TRY(load_frontier());
  // Before any body: whatever becomes of those, what is retracted goes.
  const std::uint64_t begun = frontier_->size();
  while (frontier_->size() < came->size && frontier_->size() - begun < records_max) {
    if (events.should_stop()) return stopped();
    out.refused = LOAM_TRY(take_records(source, *came, events));
    if (!out.refused.empty()) return out;
  }
  LOAM_TRY(take_bodies(source, events));
  LOAM_TRY(take_late_bodies(source, events));
  out.complete = frontier_->size() >= came->size;
  return out;
}

/// Why `came` is refused; empty if it goes on from the last one.
Result<std::string> FollowCopy::check_goes_on(ledger::LogSource& source,
                                              const crypto::Checkpoint& came) {
  const crypto::Checkpoint last = LOAM_TRY(last_checkpoint());
  if (came.size < last.size)
    return format("it shrank: it signed {} records, and now {}", last.size, came.size);
  const crypto::NodeReader tiles = source_tiles(source, came.size);
  const auto proof = LOAM_TRY(crypto::consistency_proof(last.size, came.size, tiles));
  // No checkpoint before: anything goes on from nothing, but for the root of nothing.
  if (crypto::verify_consistency(last.size, last.size == 0 ? crypto::Frontier().root() : last.root,
                                 came.size, came.root, proof))
    return std::string();
  // Tiles are not signed: only such as lead to the signed root say that the log changed.
  if (came.size != last.size && LOAM_TRY(crypto::tree_root(came.size, tiles)) != came.root)
    return fail(ErrorCode::kCorrupt,
                format("{}: its tiles do not fit its checkpoint", source.name()));
  return format("it forked: of its first {} records it signed two versions", last.size);
}

Result<> FollowCopy::load_frontier() {
  if (frontier_) return {};
  crypto::Frontier frontier;
  const std::scoped_lock lock(mutex_);
  for (;;) {
    const auto entries = LOAM_TRY(storage_->entries(frontier.size(), ledger::kTileWidth));
    for (const Bytes& entry : entries) frontier.append(crypto::leaf_hash(entry));
    if (entries.empty()) break;
  }
  frontier_ = std::move(frontier);
  return {};
}

/// The next records, as far as they are read at once. Why the log is refused; empty if it is not.
Result<std::string> FollowCopy::take_records(ledger::LogSource& source,
                                             const crypto::Checkpoint& head,
                                             const PollEvents& events) {
  std::vector<Bytes> taken;
  std::uint64_t bytes = 0;
  crypto::Frontier frontier = *frontier_;
  for (std::uint64_t i = 0; i < kBundlesAtOnce && bytes < kBytesAtOnce; ++i) {
    const std::uint64_t have = frontier.size();
    if (have == head.size) break;
    if (events.should_stop()) return stopped();
    const std::uint64_t bundle = have / ledger::kTileWidth;
    const std::uint64_t width =
        std::min(ledger::kTileWidth, head.size - bundle * ledger::kTileWidth);
    auto entries = LOAM_TRY(ledger::read_bundle(source, bundle, width));
    for (std::uint64_t at = have % ledger::kTileWidth; at < width; ++at) {
      bytes += entries[at].size();
      frontier.append(crypto::leaf_hash(entries[at]));
      taken.push_back(std::move(entries[at]));
    }
  }
  const crypto::NodeReader tiles = source_tiles(source, head.size);
  const auto proof = LOAM_TRY(crypto::consistency_proof(frontier.size(), head.size, tiles));
  if (!crypto::verify_consistency(frontier.size(), frontier.root(), head.size, head.root, proof))
    return fail(ErrorCode::kCorrupt, format("{}: records {} to {} are not those of its checkpoint",
                                            source.name(), frontier_->size(), frontier.size() - 1));
  return append(taken, events);
}

/// Keeps entries that are under the checkpoint, all or none of them.
Result<std::string> FollowCopy::append(const std::vector<Bytes>& entries,
                                       const PollEvents& events) {
  const ledger::LogRules rules{ledger::kPublicNet, crypto::sha256(key_.key)};
  std::vector<ledger::RecordId> erased;
  std::uint64_t index = frontier_->size();
  {
    const std::scoped_lock lock(mutex_);
    std::string refused;
    auto kept = storage_->transaction([&]() -> Result<> {
      for (const Bytes& entry : entries) {
        auto record = ledger::verify_record(entry, rules.net);
        auto delta = record ? ledger::apply(*storage_, *record, rules)
                            : Result<ledger::Delta>(std::unexpected(record.error()));
        if (!delta && (!record || is_fault_of_record(delta.error())))
          refused =
              format("record {} is none that a log may hold: {}", index, delta.error().message);
        if (!delta) return std::unexpected(delta.error());
        static_cast<void>(LOAM_TRY(storage_->append(*record, *delta)));
        // What other logs hold is not for this one to take out of the index.
        if (delta->erased && LOAM_TRY(storage_->record(*delta->erased)))
          erased.push_back(*delta->erased);
        ++index;
      }
      return {};
    });
    if (!kept && !refused.empty()) return refused;
    LOAM_TRY(std::move(kept));
    unscrubbed_ = unscrubbed_ || !erased.empty();
  }
  for (const Bytes& entry : entries) frontier_->append(crypto::leaf_hash(entry));
  if (!erased.empty()) LOAM_TRY(events.on_erased(erased));
  return std::string();
}

/// The body of a record, which is not stored yet; empty if there is none, none that is right, or it
/// is here already. @error as LogSource::body().
Result<std::optional<FollowCopy::FoundBody>> FollowCopy::find_body(ledger::LogSource& source,
                                                                   std::uint64_t index) {
  std::optional<ledger::StoredRecord> stored;
  {
    const std::scoped_lock lock(mutex_);
    stored = LOAM_TRY(storage_->at(index));
    if (!stored || stored->retracted || !stored->record.header.body_commitment) return std::nullopt;
    if (LOAM_TRY(storage_->body(stored->record.id))) return std::nullopt;
  }
  auto body = source.body(stored->record.id);
  if (!body && (is_passing(body.error()) || body.error().code == ErrorCode::kCancelled))
    return std::unexpected(body.error());
  const ledger::Header& header = stored->record.header;
  // Gone, not served, or not what the record says: nothing to keep.
  if (!body || ledger::commitment(*body) != header.body_commitment ||
      ledger::size_bucket(body->body.size()) != header.body_bucket)
    return std::nullopt;
  return FoundBody{stored->record.id, *std::move(body)};
}

/// Under mutex_.
Result<> FollowCopy::put_bodies(const std::vector<FoundBody>& bodies) {
  if (bodies.empty()) return {};
  return storage_->transaction([&]() -> Result<> {
    for (const FoundBody& found : bodies) LOAM_TRY(storage_->put_body(found.id, found.body));
    return {};
  });
}

/// Of records that were taken and not yet asked for. However it ends, those that were asked for are
/// settled, and the next poll goes on behind them.
Result<> FollowCopy::take_bodies(ledger::LogSource& source, const PollEvents& events) {
  int failures = 0;
  Result<> going_on;
  while (going_on) {
    std::uint64_t next = 0, last = 0;
    {
      const std::scoped_lock lock(mutex_);
      next = LOAM_TRY(table_.settled());
      last = std::min(LOAM_TRY(storage_->size()), next + kBodiesAtOnce);
    }
    if (next >= last) return {};
    std::vector<FoundBody> bodies;
    std::vector<std::uint64_t> missing;
    for (; going_on && next < last; ++next) {
      Result<std::optional<FoundBody>> found = stopped();
      if (!events.should_stop()) found = find_body(source, next);
      if (!found && !is_passing(found.error())) {
        going_on = std::unexpected(found.error());
        break;
      }
      failures = found ? 0 : failures + 1;
      if (!found) missing.push_back(next);
      if (failures >= kFailuresMax) going_on = std::unexpected(found.error());
      if (found && *found) bodies.push_back(**std::move(found));
    }
    const std::scoped_lock lock(mutex_);
    LOAM_TRY(put_bodies(bodies));
    LOAM_TRY(table_.settle(next, missing));
    settled_ = next;
  }
  return going_on;
}

Result<> FollowCopy::take_late_bodies(ledger::LogSource& source, const PollEvents& events) {
  std::vector<PendingBody> pending;
  {
    const std::scoped_lock lock(mutex_);
    pending = LOAM_TRY(table_.pending(kLateBodiesMax));
  }
  int failures = 0;
  for (const PendingBody& late : pending) {
    if (events.should_stop()) return stopped();
    const auto found = find_body(source, late.index);
    if (!found && !is_passing(found.error())) return std::unexpected(found.error());
    {
      const std::scoped_lock lock(mutex_);
      if (found && *found) LOAM_TRY(put_bodies({**found}));
      LOAM_TRY(found || late.tries >= kTriesMax ? table_.drop_pending(late.index)
                                                : table_.count_try(late.index));
    }
    failures = found ? 0 : failures + 1;
    if (failures >= kFailuresMax) return std::unexpected(found.error());
    if (found && *found) LOAM_TRY(events.on_late_body(late.index));
  }
  return {};
}

}  // namespace loam::commons
