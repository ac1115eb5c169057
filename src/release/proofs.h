// The proof bundle: what shows that the records of a data set stand in logs, and that no other did
// go in. It holds no text: bodies must stay erasable. docs/formats/publication.md.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dataset/manifest.h"
#include "ledger/record.h"

namespace loam::release {

/// A publication of more records than that is refused. Chosen: about as many fit into
/// file_bytes_max() of the bundle.
inline constexpr std::size_t kProofRecordsMax = 250'000;

/// One log of the data set, in the order of its manifest.
struct LogProof {
  crypto::PublicKey key{};
  std::string note;  // its signed checkpoint
  /// That the log at the data set's height is the beginning of the one under the checkpoint.
  std::vector<crypto::Digest> consistency;
  friend bool operator==(const LogProof&, const LogProof&) = default;
};

/// One record that was used.
struct RecordProof {
  std::uint32_t log = 0;             // which of the logs
  std::uint64_t index = 0;           // in that log
  Bytes record;                      // as stored; its SHA-256 is its id
  std::vector<crypto::Digest> path;  // to the root of that log at the data set's height
  ledger::RecordId id() const { return {crypto::sha256(record)}; }
  friend bool operator==(const RecordProof&, const RecordProof&) = default;
};

struct ProofBundle {
  std::vector<LogProof> logs;
  std::vector<RecordProof> records;  // by id
  friend bool operator==(const ProofBundle&, const ProofBundle&) = default;
};

Bytes encode_proofs(const ProofBundle& bundle);
/// The form alone: strict, and bounded by the input.
/// @error Corrupt  not what encode_proofs() writes; names the byte. @error ResourceExhausted  more
///        than kProofRecordsMax. @error Unsupported  a later version.
Result<ProofBundle> decode_proofs(ByteView bytes);

/// A record whose proofs hold.
struct UsedRecord {
  ledger::RecordId id;
  ledger::Header header;
  std::uint32_t log = 0;
  std::uint64_t index = 0;
};

struct CheckedProofs {
  std::vector<UsedRecord> records;  // all of the bundle whose bytes are a record, by id
  crypto::Digest used_root{};       // of all of them
  /// What is wrong, each naming its log or record; at most 100.
  std::vector<std::string> faults;
};

/// Checks all that a bundle says: each log's signature, that it goes on from the height and root in
/// the data set's manifest; of each record its signature, that it belongs into its log, stands
/// there below the height and, if it has a text, was given for it; that ids are sorted and
/// distinct. Whether the used root is the data set's, and whether a log's key is that of a log
/// worth something, is the caller's to compare: the keys are the bundle's own.
CheckedProofs check_proofs(const ProofBundle& bundle, const dataset::Manifest& data_set,
                           std::size_t threads);

/// Makes the bundle from the logs' copies in a data set's folder. `used`: ids, sorted.
/// @error NotFound  no key for one of its logs. @error Corrupt  a copy is not that of the manifest,
///        or a record is in none. @error ResourceExhausted  too many records.
Result<ProofBundle> make_proofs(const env::Path& folder, const dataset::Manifest& data_set,
                                std::span<const crypto::VerifierKey> keys,
                                std::span<const ledger::RecordId> used);

}  // namespace loam::release
