// What gates elsewhere said of a publication, and which of it counts.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "dataset/facts.h"

namespace loam::release {

struct FoundAttestation {
  ledger::RecordId id;
  crypto::PublicKey author{};
  ledger::Attestation payload;
  /// Why it does not count; empty if it does: its nonce was committed to before, by the same key in
  /// the same log, and nothing else was attested with it. docs/formats/publication.md.
  std::string_view doubt;
};

struct Attestations {
  /// In the order of each log; withdrawn ones are not there.
  std::vector<FoundAttestation> found;
  /// By whom: nonces that were committed to, and with which nothing was attested that counts. A
  /// gate that was cut short leaves one until it runs again; who draws until a slice suits, many.
  std::map<crypto::PublicKey, std::uint64_t> open;
};

/// What the logs of `facts` hold about `publication`, whichever log that stands in.
Attestations attestations_of(const dataset::Facts& facts, const ledger::RecordId& publication);

}  // namespace loam::release
