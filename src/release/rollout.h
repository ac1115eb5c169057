// How an adapter that passed comes to answer: unheard beside the one before, then a share of the
// prompts, then all; and back if people like it less.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/digest.h"
#include "ledger/record_id.h"
#include "release/votes.h"

namespace loam::release {

enum class Stage : std::uint8_t {
  kShadow,  // it answers prompts that the one before answered, and nobody sees it
  kShare,   // it answers every tenth prompt
  kAll,     // it answers, and is watched
};
std::string_view stage_name(Stage stage);  // "shadow", "share", "all"
std::optional<Stage> parse_stage(std::string_view name);

/// How far the adapter of one name is. A value: what is kept, and what is decided by.
struct Rollout {
  ledger::RecordId publication{};
  crypto::Digest adapter{};         // the new one
  crypto::Digest adapter_before{};  // all zero: there was none
  Stage stage = Stage::kShadow;
  std::uint64_t answers = 0;  // of the new adapter in this stage
  std::uint64_t faults = 0;   // of them failed; in the shadow also empty or repeating themselves
  Votes votes;                // on the new adapter's answers, in all stages; failed ones are down
  Votes before;               // on those of the adapter before it, as far as they were counted
  std::int64_t score = 0;     // of the stage's test, in millionths
  friend bool operator==(const Rollout&, const Rollout&) = default;
};

/// Whether the adapter before still answers.
inline bool is_on_trial(const Rollout& rollout) { return rollout.stage != Stage::kAll; }

enum class Step : std::uint8_t { kStay, kShare, kAll, kRollBack };

inline constexpr std::uint64_t kShadowAnswers = 20;  // chosen, as the next three
inline constexpr std::uint64_t kShadowFaultsMax = 2;
inline constexpr std::uint64_t kShareOneOf = 10;
/// After so many nobody seems to vote; it goes on if what votes there were are not against it.
inline constexpr std::uint64_t kShareAnswers = 200;

/// Whether an adapter that cannot be loaded, for this, is itself to blame: it is not what it should
/// be, and never will. All else passes or has another cause: no room beside other models, a node
/// that stops, a worker that was killed. (That it can be loaded here, the gate saw.)
bool is_its_own_fault(ErrorCode code);

/// Whether an answer that the engine began and could not end, for this, counts against what
/// answered: its worker died, or made no sense. A full queue or a request that cannot be does not.
bool is_failed_answer(ErrorCode code);

/// Counts an answer of the new adapter, and says what follows.
Step count_answer(Rollout& rollout, bool faulty);
/// Counts a vote on an answer of the new adapter (`on_new`) or of the one before.
Step count_vote(Rollout& rollout, bool on_new, bool is_down);
/// Counts an answer of either that failed, while the new one is on trial: as a vote down, because
/// whoever asked got nothing. Of both, because what kills one worker may be the machine.
Step count_failure(Rollout& rollout, bool on_new);
/// The rollout in its next stage, in which its test begins anew.
Rollout in_stage(Rollout rollout, Stage stage);

/// What the adapter before, which `publication` brought, goes on with once a trial ended.
Rollout before_trial(const Rollout& trial, const ledger::RecordId& publication);

/// "share, 12 answers, 3 up, 1 down": for people.
std::string rollout_text(const Rollout& rollout);

}  // namespace loam::release
