// What the headers of some logs say, up to a height: what there is, what was withdrawn, who voted.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/log_source.h"
#include "ledger/payload.h"

namespace loam::dataset {

/// A log to read. `source` must outlive the reading.
struct LogInput {
  crypto::VerifierKey key;  // by which its checkpoints are signed; never taken from the log itself
  ledger::LogSource* source = nullptr;
  /// How many records count; all under the checkpoint if empty.
  std::optional<std::uint64_t> height = {};
  /// Told every bundle that was read, to keep a copy; may be empty.
  std::function<Result<>(std::uint64_t bundle, const std::vector<Bytes>& entries)> on_bundle = {};
};

/// A record without its body.
struct Entry {
  ledger::RecordId id;
  ledger::Header header;
  bool retracted = false;  // by the height
  std::uint32_t log = 0;   // its place in Facts::logs
};

/// A log that was read and verified.
struct LogAtHeight {
  crypto::VerifierKey key;
  ledger::LogSource* source = nullptr;
  ledger::SignedCheckpoint checkpoint;
  crypto::Digest root{};  // of the first entries.size() records
  std::vector<Entry> entries;

  /// What the key records of this log say. They bind nobody in another one, whose authors could
  /// be named here without their knowing. Of each key that succeeded another, that one:
  std::map<crypto::PublicKey, crypto::PublicKey> predecessors = {};
  /// Of each key that has one, the recovery key.
  std::map<crypto::PublicKey, crypto::PublicKey> recoveries = {};

  /// Who signs as `author` in this log, whatever keys came before: the first of its succession.
  const crypto::PublicKey& writer_of(const crypto::PublicKey& author) const;
  /// Whether `speaker`, a key of any log, may retract what `author` signed in this one.
  /// @source docs/formats/log.md, rule 5.
  bool speaks_for(const crypto::PublicKey& speaker, const crypto::PublicKey& author) const;
};

struct VoteFact {
  ledger::RecordId id;        // of the vote
  crypto::PublicKey voter{};  // Facts::writer_of() its author
  ledger::Vote vote = ledger::Vote::kNone;
};

/// By id, in no order. An id is as good as random already.
struct IdHash {
  std::size_t operator()(const ledger::RecordId& id) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, id.digest.data(), sizeof out);
    return out;
  }
};
template <class T>
using IdMap = std::unordered_map<ledger::RecordId, T, IdHash>;

/// Immutable once made.
struct Facts {
  std::vector<LogAtHeight> logs;  // by their origins
  struct Place {
    std::size_t log = 0, entry = 0;
  };
  IdMap<Place> places;
  /// The newest vote of each author on a record, by voter; withdrawn votes are not there.
  std::map<ledger::RecordId, std::vector<VoteFact>> votes;

  /// Who wrote `entry`, one of these: by the succession of keys in its log.
  const crypto::PublicKey& writer_of(const Entry& entry) const {
    return logs[entry.log].writer_of(entry.header.author);
  }
  /// Whether `speaker` may retract `entry`, one of these: by the rules of its log.
  bool speaks_for(const crypto::PublicKey& speaker, const Entry& entry) const {
    return logs[entry.log].speaks_for(speaker, entry.header.author);
  }
  const Entry* find(const ledger::RecordId& id) const;
  std::vector<VoteFact> votes_on(const ledger::RecordId& id) const;
};

/// Told how far it is; false ends the work with Cancelled.
using OnProgress = std::function<bool(std::string_view what, std::uint64_t done, std::uint64_t of)>;

/// Told of a log that cannot be read; an error ends the work, else the log is left out as if it had
/// not been named.
using OnUnreadable = std::function<Result<>(const crypto::VerifierKey& log, const Error& why)>;

/// Reads every record under each log's checkpoint, on `threads` threads, and checks all that a
/// reader must check: docs/formats/log.md, rules 1, 3, 4 and 6.
/// @param on_unreadable  if empty, the first log that cannot be read ends the work with its error.
/// @error Corrupt  names the log and the record. @error InvalidArgument  a log twice, or a height
///        past its checkpoint. @error Cancelled. Else as LogSource::read().
Result<Facts> gather(std::vector<LogInput> logs, const ledger::NetId& net, std::size_t threads,
                     const OnProgress& on_progress, const OnUnreadable& on_unreadable = {});

}  // namespace loam::dataset
