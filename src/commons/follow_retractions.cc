#include "commons/follow_retractions.h"

#include <algorithm>

#include "base/check.h"

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

Result<> FollowCopy::compare_new(
    const std::function<Result<>(const ledger::StoredRecord&)>& compare) {
  const auto at = [&](std::uint64_t index) -> Result<ledger::StoredRecord> {
    const std::scoped_lock lock(mutex_);
    auto stored = LOAM_TRY(storage_->at(index));
    LOAM_CHECK(stored.has_value());  // places have no gaps
    return *std::move(stored);
  };
  std::uint64_t first = 0, size = 0;
  {
    const std::scoped_lock lock(mutex_);
    size = LOAM_TRY(storage_->size());
    first = std::min(LOAM_TRY(table_.compared()), size);
  }
  for (std::uint64_t i = first; i < size && first > 0; ++i) {
    const ledger::StoredRecord stored = LOAM_TRY(at(i));
    if (stored.record.header.kind == ledger::Kind::kKey) first = 0;
  }
  for (std::uint64_t i = first; i < size; ++i) {
    const ledger::StoredRecord stored = LOAM_TRY(at(i));
    LOAM_TRY(compare(stored));
  }
  const std::scoped_lock lock(mutex_);
  return table_.set_compared(size);
}

Result<std::vector<ledger::RecordId>> obey_retractions(
    FollowCopy& grown, std::span<const std::shared_ptr<FollowCopy>> others,
    const FollowOptions& options) {
  std::vector<ledger::RecordId> erased;
  const auto withdraw = [&](FollowCopy& from, const ledger::RecordId& id,
                            const crypto::PublicKey& key) -> Result<> {
    if (LOAM_TRY(from.withdraw(id, key))) erased.push_back(id);
    return {};
  };
  const auto compare = [&](const ledger::StoredRecord& stored) -> Result<> {
    const ledger::Header& header = stored.record.header;
    const bool retracts = header.kind == ledger::Kind::kRetraction;
    std::vector<crypto::PublicKey> keys;
    for (const auto& other : others) {
      if (retracts) LOAM_TRY(withdraw(*other, header.refs.front(), header.author));
      if (header.body_commitment)
        for (const crypto::PublicKey& key : LOAM_TRY(other->retractors(stored.record.id)))
          keys.push_back(key);
    }
    if (header.body_commitment && options.own_retractors)
      for (const crypto::PublicKey& key : LOAM_TRY(options.own_retractors(stored.record.id)))
        keys.push_back(key);
    for (const crypto::PublicKey& key : keys) LOAM_TRY(withdraw(grown, stored.record.id, key));
    return {};
  };
  LOAM_TRY(grown.compare_new(compare));
  LOAM_TRY(grown.scrub());
  for (const auto& other : others) LOAM_TRY(other->scrub());
  return erased;
}

}  // namespace loam::commons
