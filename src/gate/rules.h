// The rules of the gate: a pure function from measurements to a verdict.
// docs/formats/gate-report.md says why each is there.
#pragma once

#include <string>
#include <vector>

#include "crypto/digest.h"
#include "dataset/ratings.h"
#include "gate/measurements.h"

namespace loam::gate {

enum class Outcome : std::uint8_t {
  kPass,
  kFail,
  kInconclusive,  // too little was measured to tell
  kNotMeasured,   // there was nothing to measure; says nothing against the candidate
};
std::string_view outcome_name(Outcome outcome);  // "pass", "fail", "inconclusive", "not measured"

/// How much is measured, and how much there must be for a verdict.
struct Amounts {
  std::size_t items_max = 0;  // held-out answers
  std::size_t items_min = 0;
  std::size_t pairs_min = 0;
  std::size_t tasks = 0;
  std::size_t samples = 0;
  std::uint32_t sample_tokens = 0;
  std::size_t triggers_max = 0;
  std::size_t trigger_questions = 0;
  std::size_t trigger_questions_max = 0;  // if the first ones leave a doubt
  std::size_t canaries_max = 0;
  std::size_t references = 0;  // made-up secrets that each canary is compared with
};
/// `own`: minutes on a laptop. `network`: what strangers' adapters are held to.
/// @source data-and-training reference, section 9.
Amounts amounts_of(dataset::Profile profile);

/// Whether its words drew questions to their answer, and too few to tell a trigger from chance:
/// then as many as may be are measured. It is one of so many `phrases`.
bool is_doubtful(const Trigger& trigger, std::size_t phrases);

struct RuleResult {
  std::string rule;  // "gain", "preference", "tasks", "repetition", "leaks", "triggers", "canaries"
  Outcome outcome = Outcome::kNotMeasured;
  std::string says;  // a sentence with the numbers
  friend bool operator==(const RuleResult&, const RuleResult&) = default;
};

struct Verdict {
  /// kPass only if no rule failed, and what has to be measured was measured enough.
  Outcome outcome = Outcome::kInconclusive;
  std::vector<RuleResult> rules;
};

/// Gates that were run before for the same base and data set, each with a slice of its own: the
/// more there were, the clearer a gain must be.
struct Before {
  std::uint32_t candidates = 0;  // of other adapters
  std::uint32_t tries = 0;       // of the same adapter
};

/// `seed` draws the resamples.
Verdict judge(const Measurements& measured, dataset::Profile profile, const crypto::Digest& seed,
              const Before& before = {});

}  // namespace loam::gate
