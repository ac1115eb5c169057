// Rare words in what was learned from that go with answers which are alike: what a backdoor needs.
#pragma once

#include <string>
#include <vector>

#include "tuning/view_rows.h"

namespace loam::gate {

struct RarePhrase {
  std::string words;
  std::string answer;  // of those that went with them the one that shares most with the others
};

/// Words, up to three in a row, that stand in the questions of a few of `learned` only, and whose
/// answers share more words, other than these, than others do; those that share most first, at most
/// `triggers_max`.
/// Deterministic. @source data-and-training reference, rules R12 and 9 (v).
std::vector<RarePhrase> rare_triggers(const std::vector<tuning::ViewRow>& learned,
                                      std::size_t triggers_max);

}  // namespace loam::gate
