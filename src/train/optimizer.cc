#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "train/elementary.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

/// beta^steps by repeated squaring.
double power(double beta, std::uint64_t steps) {
  double out = 1;
  for (; steps > 0; steps >>= 1, beta *= beta)
    if ((steps & 1) != 0) out *= beta;
  return out;
}

}  // namespace

double Schedule::rate(std::uint64_t step) const {
  if (step < warmup_steps)
    return rate_max * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  if (step >= steps) return rate_min;
  constexpr double kPi = 0x1.921fb54442d18p1;
  const double done =
      static_cast<double>(step - warmup_steps) / static_cast<double>(steps - warmup_steps);
  return rate_min + (rate_max - rate_min) * (1 + sine_cosine(kPi * done).cosine) / 2;
}

double global_norm(const Spans& gradients) {
  constexpr std::size_t kPart = 4096;  // summed in binary32; the parts in binary64
  double sum = 0;
  for (std::span<float> rest : gradients)
    while (!rest.empty()) {
      const std::span part = rest.first(std::min(kPart, rest.size()));
      sum += double{dot(part.data(), part.data(), part.size())};
      rest = rest.subspan(part.size());
    }
  return std::sqrt(sum);
}

double clip_to_norm(const Spans& gradients, double norm_max) {
  const double norm = global_norm(gradients);
  if (norm <= norm_max) return norm;
  for (const std::span<float> gradient : gradients)
    scale(gradient.data(), static_cast<float>(norm_max / norm), gradient.size());
  return norm;
}

AdamW::AdamW(const AdamWOptions& options, std::size_t parameters)
    : AdamW(options,
            {0, std::vector<float>(parameters, 0.0F), std::vector<float>(parameters, 0.0F)}) {}

AdamW::AdamW(const AdamWOptions& options, AdamWState state)
    : options_(options), state_(std::move(state)) {
  LOAM_CHECK(state_.mean.size() == state_.square.size());
}

void AdamW::step(const Spans& parameters, const Spans& gradients, double rate) {
  LOAM_CHECK(parameters.size() == gradients.size());
  const std::vector<bool>& decayed = options_.decayed;
  LOAM_CHECK(decayed.empty() || decayed.size() == parameters.size());
  ++state_.steps;
  const auto beta1 = static_cast<float>(options_.beta1);
  const auto beta2 = static_cast<float>(options_.beta2);
  // Both moments begin at 0; divided by these they are what they are on average.
  const double mean_part = 1 - power(options_.beta1, state_.steps);
  const double square_part = 1 - power(options_.beta2, state_.steps);
  const auto pace = static_cast<float>(rate / mean_part);
  const auto spread = static_cast<float>(1 / square_part);
  const auto epsilon = static_cast<float>(options_.epsilon);
  std::size_t at = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::span<float> parameter = parameters[i];
    const std::span<const float> gradient = gradients[i];
    LOAM_CHECK(parameter.size() == gradient.size());
    const bool decays = decayed.empty() || decayed[i];
    const auto kept = static_cast<float>(decays ? 1 - rate * options_.weight_decay : 1.0);
    LOAM_CHECK(at + parameter.size() <= state_.mean.size());
    for (std::size_t j = 0; j < parameter.size(); ++j, ++at) {
      float& mean = state_.mean[at];
      float& square = state_.square[at];
      mean = beta1 * mean + (1 - beta1) * gradient[j];
      square = beta2 * square + (1 - beta2) * gradient[j] * gradient[j];
      parameter[j] = kept * parameter[j] - pace * mean / (std::sqrt(square * spread) + epsilon);
    }
  }
  LOAM_CHECK(at == state_.mean.size());
}

}  // namespace loam::train
