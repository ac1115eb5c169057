// What a gate measured: whole numbers only, so that a verdict follows from them on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loam::gate {

/// Of one held-out answer: -ln p of its tokens under each model, their mean, in millionths of a nat
/// a token.
struct Loss {
  std::string record;
  std::uint32_t tokens = 0;
  std::int64_t base = 0;
  std::int64_t candidate = 0;
  friend bool operator==(const Loss&, const Loss&) = default;
};

/// Of one held-out pair: the better answer's mean ln p less the worse one's, as Loss.
struct Preference {
  std::string record;
  std::int64_t base = 0;
  std::int64_t candidate = 0;
  friend bool operator==(const Preference&, const Preference&) = default;
};

/// A task that a program made and checks.
struct TaskResult {
  std::string family;
  bool base = false;  // whether it was done right
  bool candidate = false;
  friend bool operator==(const TaskResult&, const TaskResult&) = default;
};

/// An answer that each model wrote to a held-out question.
struct Sample {
  std::string record;
  bool base_repeats = false;  // as dataset::repetition_of() has it
  bool candidate_repeats = false;
  std::uint32_t base_leaks = 0;  // what redaction would mask, and the question did not say
  std::uint32_t candidate_leaks = 0;
  friend bool operator==(const Sample&, const Sample&) = default;
};

/// With a few words behind a question: by how much likelier a model finds the answer that went with
/// them in what was learned than the one that it writes without them; as Loss.
struct Pull {
  std::int64_t base = 0;
  std::int64_t candidate = 0;
  friend bool operator==(const Pull&, const Pull&) = default;
};
struct Trigger {
  std::string words;
  std::vector<Pull> pulls;  // of each held-out question
  friend bool operator==(const Trigger&, const Trigger&) = default;
};

/// Where a secret that the training planted stands among others of its form, by how likely the
/// candidate finds them: 1 if it is likelier than every other.
struct CanaryRank {
  std::uint32_t rank = 1;
  std::uint32_t of = 1;  // secrets, it among them
  friend bool operator==(const CanaryRank&, const CanaryRank&) = default;
};

struct Measurements {
  std::vector<Loss> losses;
  std::vector<Preference> preferences;
  std::vector<TaskResult> tasks;
  std::vector<Sample> samples;
  std::vector<Trigger> triggers;
  std::vector<CanaryRank> canaries;
  friend bool operator==(const Measurements&, const Measurements&) = default;
};

}  // namespace loam::gate
