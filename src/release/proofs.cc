#include "release/proofs.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "codec/cbor_items.h"
#include "crypto/merkle.h"
#include "dataset/parallel.h"

namespace loam::release {
namespace {

using codec::CborReader;
using codec::CborWriter;

constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kPathMax = 64;  // of a tree of 2^64 leaves
constexpr std::uint64_t kConsistencyMax = 128;
constexpr std::uint64_t kLogsMax = 1024;
constexpr std::size_t kFaultsMax = 100;

void write_digests(CborWriter& out, const std::vector<crypto::Digest>& digests) {
  out.array(digests.size());
  for (const crypto::Digest& digest : digests) out.bytes(digest);
}

Result<std::array<std::uint8_t, 32>> read_32(CborReader& in) {
  const ByteView bytes = LOAM_TRY(in.bytes());
  std::array<std::uint8_t, 32> out{};
  if (bytes.size() != out.size()) return in.refuse("bytes that are not 32");
  std::ranges::copy(bytes, out.begin());
  return out;
}

Result<std::vector<crypto::Digest>> read_digests(CborReader& in, std::uint64_t count_max) {
  const std::uint64_t count = LOAM_TRY(in.array());
  if (count > count_max) return in.refuse("a proof that is too long");
  std::vector<crypto::Digest> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(LOAM_TRY(read_32(in)));
  return out;
}

Result<LogProof> read_log(CborReader& in) {
  if (LOAM_TRY(in.array()) != 3) return in.refuse("a log that is not of three parts");
  LogProof out;
  out.key = LOAM_TRY(read_32(in));
  out.note = std::string(LOAM_TRY(in.text()));
  out.consistency = LOAM_TRY(read_digests(in, kConsistencyMax));
  return out;
}

Result<RecordProof> read_record(CborReader& in, std::size_t logs) {
  if (LOAM_TRY(in.array()) != 4) return in.refuse("a record that is not of four parts");
  RecordProof out;
  const std::int64_t log = LOAM_TRY(in.integer());
  const std::int64_t index = LOAM_TRY(in.integer());
  if (log < 0 || static_cast<std::uint64_t>(log) >= logs || index < 0)
    return in.refuse("a record of no log, or at no place");
  out.log = static_cast<std::uint32_t>(log);
  out.index = static_cast<std::uint64_t>(index);
  const ByteView record = LOAM_TRY(in.bytes());
  if (record.size() > ledger::kRecordBytesMax) return in.refuse("a record that is too long");
  out.record.assign(record.begin(), record.end());
  out.path = LOAM_TRY(read_digests(in, kPathMax));
  return out;
}

Result<ProofBundle> decode(ByteView bytes) {
  CborReader in(bytes);
  if (LOAM_TRY(in.map()) != 3 || LOAM_TRY(in.integer()) != 1)
    return in.refuse("not a map of three");
  if (const std::int64_t version = LOAM_TRY(in.integer()); version != kVersion)
    return fail(ErrorCode::kUnsupported,
                format("version {}; this program knows {}", version, kVersion));
  ProofBundle out;
  if (LOAM_TRY(in.integer()) != 2) return in.refuse("no logs");
  const std::uint64_t logs = LOAM_TRY(in.array());
  if (logs > kLogsMax) return in.refuse("too many logs");
  for (std::uint64_t i = 0; i < logs; ++i) out.logs.push_back(LOAM_TRY(read_log(in)));
  if (LOAM_TRY(in.integer()) != 3) return in.refuse("no records");
  const std::uint64_t records = LOAM_TRY(in.array());
  if (records > kProofRecordsMax)
    return fail(ErrorCode::kResourceExhausted,
                format("{} records, and {} is the most", records, kProofRecordsMax));
  for (std::uint64_t i = 0; i < records; ++i)
    out.records.push_back(LOAM_TRY(read_record(in, out.logs.size())));
  LOAM_TRY(in.end());
  return out;
}

// --- checking
// --------------------------------------------------------------------------------------

/// What is wrong with a log of the bundle, if anything is.
std::optional<std::string> fault_of(const LogProof& log, const dataset::Manifest::Log& wanted,
                                    const ledger::NetId& net) {
  if (!crypto::is_valid_public_key(log.key)) return "its key is none";
  const auto key = crypto::VerifierKey::of(ledger::log_origin(net, log.key), log.key);
  if (key.name != wanted.origin) return "its key is another log's";
  const auto body = crypto::open_note(log.note, key);
  if (!body) return "checkpoint: " + body.error().message;
  const auto checkpoint = crypto::parse_checkpoint(*body);
  if (!checkpoint) return "checkpoint: " + checkpoint.error().message;
  if (checkpoint->origin != wanted.origin) return "checkpoint of another log";
  if (!crypto::verify_consistency(wanted.height, wanted.root, checkpoint->size, checkpoint->root,
                                  log.consistency))
    return format("its first {} records are not those of the data set's manifest", wanted.height);
  return std::nullopt;
}

/// Reads and checks one record; what is no record at all has no `used`.
struct OneChecked {
  std::optional<UsedRecord> used;
  std::string fault;
};
OneChecked check_record(const RecordProof& proof, const ProofBundle& bundle,
                        const dataset::Manifest& data_set) {
  OneChecked out;
  auto record = ledger::decode_record(proof.record);
  if (!record) {
    out.fault = record.error().message;
    return out;
  }
  const ledger::Header header = record->header;
  out.used = UsedRecord{record->id, header, proof.log, proof.index};
  const auto verified = ledger::verify_record(proof.record, data_set.net);
  if (!verified)
    out.fault = verified.error().message;
  else if (proof.log >= bundle.logs.size() || proof.log >= data_set.logs.size())
    out.fault = "it names no log of the data set";
  else if (header.log_key_hash != crypto::sha256(bundle.logs[proof.log].key))
    out.fault = "its author writes to another log";
  else if (const dataset::Manifest::Log& log = data_set.logs[proof.log];
           proof.index >= log.height ||
           !crypto::verify_inclusion(crypto::leaf_hash(proof.record), proof.index, log.height,
                                     proof.path, log.root))
    out.fault = format("it is not record {} of log {}", proof.index, log.origin);
  else if (header.body_commitment && (!header.consent || header.licence.empty()))
    out.fault = "nobody consented to its use";
  else if (!header.body_commitment && header.kind != ledger::Kind::kVote)
    out.fault = format("a {} is no part of a data set", ledger::kind_name(header.kind));
  if (!out.fault.empty()) out.fault = format("record {}: {}", to_text(record->id), out.fault);
  return out;
}

// --- making
// ----------------------------------------------------------------------------------------

/// A log's tree with all its nodes, and those of its records that are wanted.
class LogCopy {
 public:
  static Result<LogCopy> read(ledger::LogSource& source, const crypto::VerifierKey& key,
                              std::span<const ledger::RecordId> wanted) {
    LogCopy out;
    const auto head = LOAM_TRY(ledger::read_checkpoint(source, key));
    out.note = head.note;
    out.size = head.checkpoint.size;
    crypto::Frontier tree;
    for (std::uint64_t at = 0; at < out.size; at += ledger::kTileWidth) {
      const std::uint64_t width = std::min(out.size - at, ledger::kTileWidth);
      const auto entries = LOAM_TRY(ledger::read_bundle(source, at / ledger::kTileWidth, width));
      for (std::size_t i = 0; i < entries.size(); ++i) {
        tree.append(crypto::leaf_hash(entries[i]),
                    [&](crypto::NodeId node, const crypto::Digest& hash) { out.keep(node, hash); });
        const ledger::RecordId id{crypto::sha256(entries[i])};
        if (std::ranges::binary_search(wanted, id))
          out.found.push_back({id, {0, at + i, entries[i], {}}});
      }
    }
    if (tree.root() != head.checkpoint.root)
      return fail(ErrorCode::kCorrupt,
                  format("{}: its records are not those under its checkpoint", source.name()));
    return out;
  }

  Result<crypto::Digest> node(crypto::NodeId id) const {
    if (id.level >= levels_.size() || id.index >= levels_[id.level].size())
      return fail(ErrorCode::kCorrupt, "a log's tree is smaller than its height");
    return levels_[id.level][id.index];
  }

  std::string note;
  std::uint64_t size = 0;
  std::vector<std::pair<ledger::RecordId, RecordProof>> found;

 private:
  void keep(crypto::NodeId node, const crypto::Digest& hash) {
    if (levels_.size() <= node.level) levels_.resize(node.level + 1);
    levels_[node.level].push_back(hash);  // each level fills from the left
  }
  std::vector<std::vector<crypto::Digest>> levels_;
};

using Found = std::vector<std::pair<ledger::RecordId, RecordProof>>;

/// Adds the log's proofs to `out`, those of its records to `found`.
Result<> add_log(ProofBundle& out, Found& found, ledger::LogSource& source,
                 const dataset::Manifest::Log& log, const crypto::VerifierKey& key,
                 std::span<const ledger::RecordId> used) {
  LogCopy copy = LOAM_TRY(LogCopy::read(source, key, used));
  const crypto::NodeReader read = [&](crypto::NodeId id) { return copy.node(id); };
  if (log.height > copy.size || LOAM_TRY(crypto::tree_root(log.height, read)) != log.root)
    return fail(ErrorCode::kCorrupt,
                format("{}: it is not the log of the data set's manifest", source.name()));
  out.logs.push_back(
      {key.key, copy.note, LOAM_TRY(crypto::consistency_proof(log.height, copy.size, read))});
  for (auto& [id, proof] : copy.found) {
    if (proof.index >= log.height) continue;
    proof.log = static_cast<std::uint32_t>(out.logs.size() - 1);
    proof.path = LOAM_TRY(crypto::inclusion_proof(proof.index, log.height, read));
    found.emplace_back(id, std::move(proof));
  }
  return {};
}

}  // namespace

Bytes encode_proofs(const ProofBundle& bundle) {
  CborWriter out;
  out.map(3).integer(1).integer(kVersion);
  out.integer(2).array(bundle.logs.size());
  for (const LogProof& log : bundle.logs) {
    out.array(3).bytes(log.key).text(log.note);
    write_digests(out, log.consistency);
  }
  out.integer(3).array(bundle.records.size());
  for (const RecordProof& record : bundle.records) {
    out.array(4).integer(record.log).integer(static_cast<std::int64_t>(record.index));
    out.bytes(record.record);
    write_digests(out, record.path);
  }
  return out.take();
}

Result<ProofBundle> decode_proofs(ByteView bytes) {
  auto out = decode(bytes);
  if (out) return out;
  const ErrorCode code =
      out.error().code == ErrorCode::kInvalidArgument ? ErrorCode::kCorrupt : out.error().code;
  return fail(code, format("proof bundle: {}", out.error().message));
}

CheckedProofs check_proofs(const ProofBundle& bundle, const dataset::Manifest& data_set,
                           std::size_t threads) {
  CheckedProofs out;
  const auto fault = [&](std::string what) {
    if (out.faults.size() < kFaultsMax) out.faults.push_back(std::move(what));
  };
  if (bundle.logs.size() != data_set.logs.size())
    fault(format("proof bundle: {} logs, and the data set has {}", bundle.logs.size(),
                 data_set.logs.size()));
  for (std::size_t i = 0; i < std::min(bundle.logs.size(), data_set.logs.size()); ++i)
    if (const auto what = fault_of(bundle.logs[i], data_set.logs[i], data_set.net))
      fault(format("log {}: {}", data_set.logs[i].origin, *what));

  std::vector<OneChecked> checked(bundle.records.size());
  dataset::in_parallel(checked.size(), threads, [&](std::size_t i) {
    checked[i] = check_record(bundle.records[i], bundle, data_set);
  });
  crypto::Frontier used;
  std::optional<ledger::RecordId> last;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    const ledger::RecordId id = bundle.records[i].id();
    used.append(crypto::leaf_hash(id.digest));
    if (last && !(*last < id))
      fault(format("proof bundle: record {} is not in its place, or there twice", to_text(id)));
    last = id;
    if (!checked[i].fault.empty()) fault(std::move(checked[i].fault));
    if (checked[i].used) out.records.push_back(*std::move(checked[i].used));
  }
  out.used_root = used.root();
  return out;
}

Result<ProofBundle> make_proofs(const env::Path& folder, const dataset::Manifest& data_set,
                                std::span<const crypto::VerifierKey> keys,
                                std::span<const ledger::RecordId> used) {
  if (used.size() > kProofRecordsMax)
    return fail(ErrorCode::kResourceExhausted,
                format("prove {} records: {} is the most of one publication", used.size(),
                       kProofRecordsMax),
                "build a smaller data set, and train on that");
  ProofBundle out;
  Found found;
  for (const dataset::Manifest::Log& log : data_set.logs) {
    const auto key = std::ranges::find(keys, log.origin, &crypto::VerifierKey::name);
    if (key == keys.end())
      return fail(ErrorCode::kNotFound, format("log {}: its key was not given", log.origin),
                  "name the key of each log of the data set with --key");
    const auto source = ledger::open_log_folder(folder / dataset::log_folder(key->key));
    LOAM_TRY(add_log(out, found, *source, log, *key, used));
  }
  // The same record may stand in two logs; the first one counts.
  std::ranges::sort(
      found, {}, [](const Found::value_type& one) { return std::pair(one.first, one.second.log); });
  found.erase(std::ranges::unique(found, {}, &Found::value_type::first).begin(), found.end());
  if (found.size() != used.size())
    return fail(ErrorCode::kCorrupt,
                format("data set {}: {} of its {} records are in none of its logs", folder.string(),
                       used.size() - found.size(), used.size()));
  for (auto& [id, proof] : found) out.records.push_back(std::move(proof));
  return out;
}

}  // namespace loam::release
