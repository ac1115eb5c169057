// One publication, looked at from its files alone: whether they are those that it names, and
// whether they say the same of each other.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "release/blobs.h"
#include "release/manifest.h"
#include "release/proofs.h"

namespace loam::release {

/// A node of a lineage: a publication, or something that it is made of.
struct Part {
  std::string what;  // "publication", "base", "adapter", "recipe", "run", "gate", "data set", ...
  std::string id = {};    // a hash in hexadecimal, or a record's id
  std::string text = {};  // more of it, for people; what others wrote stands in it
  /// Said by the publisher, and nothing at hand proves or disproves it.
  bool is_claim = false;
  std::vector<std::string> faults = {};  // what is wrong with it, and what should be
  std::vector<Part> parts = {};
};

/// Every fault of `part` and of its parts, each behind what it is a fault of.
std::vector<std::string> faults_of(const Part& part);

/// Reads a gate's report, recomputing what it can. @error Corrupt, InvalidArgument  no report.
using ReadGate = std::function<Result<GateSummary>(std::string_view report)>;

struct Examined {
  Manifest manifest;
  dataset::Manifest data_set;
  CheckedProofs proofs;
  std::vector<crypto::PublicKey> log_keys;  // of data_set.logs, as the bundle has them
  /// base, adapter, recipe, run, gate and data set with its logs and their records.
  std::vector<Part> parts;
};

/// Reads the manifest and every file that it names, and compares all of it: hashes; what the
/// adapter's own header, the recipe, the run and the gate's report say of each other; the numbers
/// of the adapter's two forms; the data set's root; every proof; and that the licence is that of
/// the parts. What is wrong, a missing file too, is in the parts' faults.
/// @param read_gate  may be empty: what the report says is then a claim.
/// @error NotFound, Corrupt, Unsupported  the manifest itself. @error whatever may_pass()  a file
///        could not be fetched.
Result<Examined> examine(const crypto::Digest& manifest, BlobSource& blobs,
                         const ReadGate& read_gate, std::size_t threads);

}  // namespace loam::release
