// Losses that learn from what people preferred, as functions of whole answers' log-probabilities.
#pragma once

#include <array>

namespace loam::tuning {

/// ln p of an answer, all its tokens together, in nat.
struct AnswerScore {
  double policy = 0;     // by the model that is trained
  double reference = 0;  // by the base
};

/// A loss, and how fast it changes with the policy's score of each answer. No number if a score is
/// none.
template <std::size_t kAnswers>
struct PreferenceLoss {
  double loss = 0;
  std::array<double, kAnswers> slopes = {};
};

/// The first slope is the better answer's.
/// @source Rafailov et al., "Direct Preference Optimization", 2023, equation 7.
PreferenceLoss<2> dpo_loss(const AnswerScore& better, const AnswerScore& worse, double beta);

/// One answer that was liked or not.
/// @param anchor  how far the policy is from the reference anyway, in nat; 0 or more.
/// @source Ethayarajh et al., "KTO", 2024, equations 7 and 8.
PreferenceLoss<1> kto_loss(const AnswerScore& answer, bool good, double anchor, double beta,
                           double weight);

}  // namespace loam::tuning
