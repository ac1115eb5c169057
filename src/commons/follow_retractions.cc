#include "commons/follow_retractions.h"

#include <algorithm>
#include <iterator>

namespace loam::commons {

std::vector<crypto::PublicKey> retractors_among(std::span<const ledger::StoredRecord> referring) {
  std::vector<crypto::PublicKey> out;
  for (const ledger::StoredRecord& other : referring)
    if (other.record.header.kind == ledger::Kind::kRetraction)
      out.push_back(other.record.header.author);
  return out;
}

Result<std::vector<crypto::PublicKey>> FollowCopy::retractors(const ledger::RecordId& id) {
  const std::scoped_lock lock(mutex_);
  return retractors_among(LOAM_TRY(storage_->referring_to(id)));
}

Result<std::vector<ledger::RecordId>> FollowCopy::spoken_for(const ledger::RecordId& id,
                                                             const crypto::PublicKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto known = LOAM_TRY(storage_->record(id));
  if (!known) return std::vector<ledger::RecordId>();
  if (!LOAM_TRY(ledger::speaks_for(*storage_, key, known->author)))
    return fail(ErrorCode::kPermissionDenied, "the key may not retract what this author wrote",
                "a recovery key retracts what was written by the key that named it, and by keys "
                "that follow that one");
  std::vector<ledger::RecordId> out = {id};
  for (std::size_t i = 0; i < out.size(); ++i)  // edits of edits hold its text too
    for (const ledger::StoredRecord& other : LOAM_TRY(storage_->referring_to(out[i]))) {
      const ledger::Header& header = other.record.header;
      const bool follows = header.kind == ledger::Kind::kEdit || header.kind == ledger::Kind::kVote;
      if (follows && std::ranges::find(out, other.record.id) == out.end() &&
          LOAM_TRY(ledger::speaks_for(*storage_, key, header.author)))
        out.push_back(other.record.id);
    }
  return out;
}

Result<bool> FollowCopy::withdraw(const ledger::RecordId& id, const crypto::PublicKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto known = LOAM_TRY(storage_->record(id));
  if (!known || !LOAM_TRY(ledger::speaks_for(*storage_, key, known->author))) return false;
  if (known->retracted) return true;
  LOAM_TRY(storage_->transaction([&] { return storage_->withdraw(id); }));
  unscrubbed_ = true;
  return true;
}

Result<std::uint64_t> FollowCopy::compared() {
  const std::scoped_lock lock(mutex_);
  return table_.compared();
}
Result<> FollowCopy::set_compared(std::uint64_t records) {
  const std::scoped_lock lock(mutex_);
  return table_.set_compared(records);
}

Result<std::vector<ledger::StoredRecord>> FollowCopy::records(std::uint64_t first,
                                                              std::uint64_t count) {
  const std::scoped_lock lock(mutex_);
  std::vector<ledger::StoredRecord> out;
  for (std::uint64_t i = first; i < first + count; ++i) {
    auto stored = LOAM_TRY(storage_->at(i));
    if (!stored) break;
    out.push_back(*std::move(stored));
  }
  return out;
}

namespace {

constexpr std::uint64_t kComparedAtOnce = 1000;  // between two looks at the clock; chosen

class Comparison {
 public:
  Comparison(FollowCopy& grown, std::span<const std::shared_ptr<FollowCopy>> others,
             const FollowOptions& options, const PollEvents& events)
      : grown_(grown), others_(others), options_(options), events_(events) {}

  Result<> run() {
    std::uint64_t next = LOAM_TRY(grown_.compared());
    for (;;) {
      const auto batch = LOAM_TRY(grown_.records(next, kComparedAtOnce));
      if (batch.empty()) return {};
      // A new key may speak for the authors of what came before.
      const bool has_key = std::ranges::any_of(batch, [](const ledger::StoredRecord& one) {
        return one.record.header.kind == ledger::Kind::kKey;
      });
      for (std::uint64_t first = 0; has_key && first < next; first += kComparedAtOnce) {
        const auto before =
            LOAM_TRY(grown_.records(first, std::min(kComparedAtOnce, next - first)));
        LOAM_TRY(compare(before));
      }
      LOAM_TRY(compare(batch));
      next += batch.size();
      LOAM_TRY(grown_.set_compared(next));  // only now: what was erased is out of the index, too
    }
  }

 private:
  Result<> compare(const std::vector<ledger::StoredRecord>& records) {
    if (events_.should_stop())
      return fail(ErrorCode::kCancelled, "the poll was ended before all was compared");
    std::vector<ledger::RecordId> erased;
    for (const ledger::StoredRecord& stored : records) LOAM_TRY(compare(stored, erased));
    if (erased.empty()) return {};
    return events_.on_erased(erased);
  }

  Result<> compare(const ledger::StoredRecord& stored, std::vector<ledger::RecordId>& erased) {
    const ledger::Header& header = stored.record.header;
    const auto withdraw = [&](FollowCopy& from, const ledger::RecordId& id,
                              const crypto::PublicKey& key) -> Result<> {
      if (LOAM_TRY(from.withdraw(id, key))) erased.push_back(id);
      return {};
    };
    if (header.kind == ledger::Kind::kRetraction)
      for (const auto& other : others_)
        LOAM_TRY(withdraw(*other, header.refs.front(), header.author));
    if (!header.body_commitment) return {};
    std::vector<crypto::PublicKey> keys;
    if (options_.own_retractors) keys = LOAM_TRY(options_.own_retractors(stored.record.id));
    for (const auto& other : others_)
      std::ranges::copy(LOAM_TRY(other->retractors(stored.record.id)), std::back_inserter(keys));
    for (const crypto::PublicKey& key : keys) LOAM_TRY(withdraw(grown_, stored.record.id, key));
    return {};
  }

  FollowCopy& grown_;
  const std::span<const std::shared_ptr<FollowCopy>> others_;
  const FollowOptions& options_;
  const PollEvents& events_;
};

}  // namespace

Result<> obey_retractions(FollowCopy& grown, std::span<const std::shared_ptr<FollowCopy>> others,
                          const FollowOptions& options, const PollEvents& events) {
  auto done = Comparison(grown, others, options, events).run();
  // However it ended; and of all of them, whatever comes of one.
  auto scrubbed = grown.scrub();
  for (const auto& other : others)
    if (auto also = other->scrub(); !also) scrubbed = std::move(also);
  return done ? scrubbed : done;
}

}  // namespace loam::commons
