// What votes are worth. Two ways to count them: docs/formats/dataset.md, "Profiles".
#pragma once

#include <cstdint>
#include <vector>

#include "dataset/facts.h"

namespace loam::dataset {

/// own: records of people whom the builder knows; every vote counts, one's own too, and there is no
/// cap. network: of strangers; one's own votes count nothing, and whether an answer is good is
/// decided by agreement between people who otherwise disagree.
/// @source DESIGN.md 8.7; data-and-training reference, R8 and R10.
enum class Profile : std::uint8_t { kOwn, kNetwork };
std::string_view profile_name(Profile profile);
/// @error InvalidArgument  names those that there are.
Result<Profile> parse_profile(std::string_view name);

/// Rows of one author that the profile allows; empty: any number.
std::optional<std::int64_t> author_cap(Profile profile);

struct Rating {
  std::int64_t up = 0, down = 0;             // votes that count
  int label = 0;                             // -1 bad, 1 good, 0 not decided
  bool gold = false;                         // network: enough people from both sides agree
  std::vector<ledger::RecordId> votes = {};  // those that count, sorted
  friend bool operator==(const Rating&, const Rating&) = default;
};

/// Pure. Records without a vote that counts are not in it.
IdMap<Rating> rate(const Facts& facts, Profile profile);

}  // namespace loam::dataset
