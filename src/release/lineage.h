// Where a published model comes from: walked and verified, down to single records.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataset/facts.h"
#include "release/examine.h"

namespace loam::release {

/// A record of a log at hand.
struct Standing {
  ledger::Header header;
  std::string log;          // its origin
  std::uint64_t index = 0;  // in that log
};
struct Retraction {
  ledger::RecordId id;
  std::string log;
  std::uint64_t index = 0;
};

/// Logs that were read and verified, and files by hash. A twin in tests may say anything.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual std::optional<Standing> find(const ledger::RecordId& id) const = 0;
  /// What withdrew a record, if that is valid.
  virtual std::optional<Retraction> retraction(const ledger::RecordId& id) const = 0;
  /// Whether the log with this key is one of those at hand.
  virtual bool knows(const crypto::PublicKey& log) const = 0;
  virtual BlobSource& blobs() = 0;
};

/// Whether a text goes when a record of that kind is retracted.
bool has_text(ledger::Kind kind);

/// Both must outlive it.
std::unique_ptr<Archive> archive_of(const dataset::Facts& facts, BlobSource& blobs);

struct WalkOptions {
  ReadGate read_gate = {};
  /// Whether the base's file is here and is that file; may be empty.
  std::function<Result<bool>(const Manifest::Base&)> find_base = {};
  std::size_t threads = 1;
};

struct Lineage {
  Part root;
  std::uint64_t publications = 0;
  std::uint64_t records = 0;  // whose proofs were checked
  /// Used records of the publication itself that were withdrawn after it was trained.
  std::vector<std::pair<ledger::RecordId, Retraction>> retracted;
  /// Those of them whose texts are gone: without a vote the data set can be built again.
  std::uint64_t texts_retracted = 0;
  std::vector<std::string> faults;  // faults_of(root)
  /// Of the publication itself, without its parts; nothing if its manifest cannot be read.
  std::optional<Examined> examined;
};

/// Follows the publication `id` and those that it descends from, and verifies all that is at hand.
/// A missing parent, a cycle, and whatever was changed are faults, named in the tree.
/// @error NotFound  no log at hand has it. @error InvalidArgument  it is no publication of an
///        adapter. @error whatever may_pass()  a file could not be fetched: no fault of it.
Result<Lineage> walk(Archive& archive, const ledger::RecordId& id, const WalkOptions& options);

/// The publication in `record`. @error InvalidArgument  another kind or type.
Result<ledger::Publication> published_adapter(const ledger::RecordId& id,
                                              const ledger::Header& record);

}  // namespace loam::release
