#include "tuning/preference.h"

#include <algorithm>

#include "train/elementary.h"

namespace loam::tuning {
namespace {

constexpr double kFlat = 700;  // beyond it a sigmoid is 0 or 1 to the last bit that counts

double sigmoid(double x) { return 1 / (1 + train::exponential(std::clamp(-x, -kFlat, kFlat))); }

/// -ln sigmoid(x), without loss for large numbers.
double surprise(double x) {
  const double tail = train::logarithm(1 + train::exponential(std::max(-std::abs(x), -kFlat)));
  return x < 0 ? tail - x : tail;
}

double gain(const AnswerScore& answer) { return answer.policy - answer.reference; }

}  // namespace

PreferenceLoss<2> dpo_loss(const AnswerScore& better, const AnswerScore& worse, double beta) {
  const double margin = beta * (gain(better) - gain(worse));
  const double slope = beta * sigmoid(-margin);
  return {surprise(margin), {-slope, slope}};
}

PreferenceLoss<1> kto_loss(const AnswerScore& answer, bool good, double anchor, double beta,
                           double weight) {
  const double sign = good ? 1 : -1;
  const double value = sigmoid(sign * beta * (gain(answer) - anchor));
  return {weight * (1 - value), {-sign * weight * beta * value * (1 - value)}};
}

}  // namespace loam::tuning
