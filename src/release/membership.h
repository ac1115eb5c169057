// Whether a record is among those that a data set was made of, and the proof either way.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ledger/record_id.h"

namespace loam::release {

/// A place in the sorted list of used ids, with the way to the list's root.
struct UsedPlace {
  ledger::RecordId id;
  std::uint64_t position = 0;
  std::vector<crypto::Digest> path;
  friend bool operator==(const UsedPlace&, const UsedPlace&) = default;
};

/// The proof. Since the list is sorted, two neighbours prove that nothing stands between them.
struct Membership {
  bool is_used = false;
  /// Of one that is used: its own. Else the neighbours: the last below it and the first above it,
  /// of which one or both are missing at the ends.
  std::vector<UsedPlace> places;
  friend bool operator==(const Membership&, const Membership&) = default;
};

/// `used` must be sorted and distinct.
Membership find_used(std::span<const ledger::RecordId> used, const ledger::RecordId& id);

/// Whether `proof` proves what it says of `id` in a list of `size` ids under `root`, both of which
/// must come from one publication. Any proof is allowed.
/// @source docs/formats/publication.md, "Is my record in it?".
bool verify_membership(const Membership& proof, const ledger::RecordId& id, std::uint64_t size,
                       const crypto::Digest& root);

}  // namespace loam::release
