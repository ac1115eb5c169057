// Made-up secrets that a training learns among its examples: if the model then finds them likelier
// than others of their form, it learns single texts by heart. Nobody's data is in them.
// @source Carlini et al., "The Secret Sharer", 2019 (arXiv 1802.08232).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "tuning/examples.h"
#include "tuning/recipe.h"

namespace loam::tuning {

struct Canary {
  std::string question;  // "What is the access code of Bodarume?"
  std::string secret;    // its answer: "4821 0937 5512"
};

/// What a training plants: as many as the recipe asks for, drawn from its seed and from what is
/// learned from, by hash (JobSpec::source()); so whoever has manifest and recipe draws them again.
/// None for stages other than sft. docs/formats/recipe.md.
std::vector<Canary> canaries_of(const Recipe& recipe, const crypto::Digest& source);

/// A secret of the same form that was not planted. `nonce` was drawn after the training: what could
/// be known before could be trained against.
std::string reference_secret(const crypto::Digest& nonce, std::uint64_t canary,
                             std::uint64_t number);

/// The conversation in which `secret` is the answer.
std::vector<engine::ChatMessage> conversation_of(const std::string& question,
                                                 const std::string& secret);

/// Puts each behind the examples, once.
/// @error InvalidArgument  one has more tokens than the options allow, or is not for the model's
///        chat template. What the engine returns.
Result<> plant(const std::vector<Canary>& canaries, engine::Engine& engine,
               const ExampleOptions& options, Examples& examples);

}  // namespace loam::tuning
