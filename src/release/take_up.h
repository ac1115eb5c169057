// From an adapter that passed to one that answers, or is tried.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/catalog.h"
#include "release/channels.h"

namespace loam::release {

struct TakeUpOrder {
  std::string candidate;  // a model of the catalogue with the publication's adapter
  ledger::RecordId publication{};
  std::string name;       // it is to answer under
  bool on_trial = false;  // beside what a channel brought there before, if there is something
  std::string why;        // for the decision
  std::int64_t now_ms = 0;
};

struct TakenUp {
  catalog::Model model;
  bool replaced = false;  // an earlier one, which give_up() brings back
  bool on_trial = false;  // beside that one, which still answers
};

/// Has the candidate answer, and writes both the decision and its rollout down, while nobody else
/// changes the book. Cut short, it may be done again. What was on trial under the name is so no
/// longer.
/// @error AlreadyExists  the name is another model's. Else as ChannelBook::edit().
Result<TakenUp> take_up(catalog::Catalog& catalog, const ChannelBook& book,
                        const TakeUpOrder& order);

}  // namespace loam::release
