#include "tuning/preference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace loam::tuning {
namespace {

constexpr double kStep = 1e-5;

TEST(DpoLoss, IsThatOfThePaper) {
  const AnswerScore better{-10, -11}, worse{-9, -7};
  EXPECT_NEAR(dpo_loss(better, worse, 0.5).loss, -std::log(1 / (1 + std::exp(-0.5 * 3))), 1e-12);
  EXPECT_NEAR(dpo_loss({}, {}, 0.5).loss, std::log(2), 1e-12);
  // Neither end overflows.
  EXPECT_NEAR(dpo_loss({-1e6, 0}, {}, 1).loss, 1e6, 1e-3);
  EXPECT_EQ(dpo_loss({1e6, 0}, {}, 1).loss, 0);
}

TEST(DpoLoss, SlopesAreThoseOfTheLoss) {
  for (const double policy : {-30.0, -10.5, -1.0}) {
    const AnswerScore better{policy, -11}, worse{-9, -7};
    const auto at = [&](double up, double down) {
      return dpo_loss({better.policy + up, better.reference},
                      {worse.policy + down, worse.reference}, 0.3)
          .loss;
    };
    const auto found = dpo_loss(better, worse, 0.3);
    EXPECT_NEAR(found.slopes[0], (at(kStep, 0) - at(-kStep, 0)) / (2 * kStep), 1e-8);
    EXPECT_NEAR(found.slopes[1], (at(0, kStep) - at(0, -kStep)) / (2 * kStep), 1e-8);
  }
}

TEST(PreferenceLosses, OfWhatIsNoNumberAreNone) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(dpo_loss({kNaN, -7}, {-9, -7}, 0.5).loss));
  EXPECT_TRUE(std::isnan(dpo_loss({-9, -7}, {-9, kNaN}, 0.5).loss));
  EXPECT_TRUE(std::isnan(dpo_loss({-kInfinity, -kInfinity}, {-9, -7}, 0.5).loss));
  EXPECT_EQ(dpo_loss({-kInfinity, -7}, {-9, -7}, 0.5).loss, kInfinity);
  for (const bool good : {true, false}) {
    EXPECT_TRUE(std::isnan(kto_loss({kNaN, -7}, good, 0, 0.5, 1).loss));
    EXPECT_TRUE(std::isnan(kto_loss({-9, -7}, good, kNaN, 0.5, 1).loss));
  }
}

TEST(KtoLoss, IsThatOfThePaper) {
  const double sigmoid = 1 / (1 + std::exp(-0.5 * (2 - 0.25)));
  EXPECT_NEAR(kto_loss({-10, -12}, true, 0.25, 0.5, 1.5).loss, 1.5 * (1 - sigmoid), 1e-12);
  EXPECT_NEAR(kto_loss({-10, -12}, false, 0.25, 0.5, 1.5).loss, 1.5 * sigmoid, 1e-12);
}

TEST(KtoLoss, SlopesAreThoseOfTheLoss) {
  for (const bool good : {true, false})
    for (const double policy : {-30.0, -12.0, -1.0}) {
      const auto at = [&](double more) {
        return kto_loss({policy + more, -12}, good, 0.2, 0.3, 1.5).loss;
      };
      EXPECT_NEAR(kto_loss({policy, -12}, good, 0.2, 0.3, 1.5).slopes[0],
                  (at(kStep) - at(-kStep)) / (2 * kStep), 1e-8);
    }
}

}  // namespace
}  // namespace loam::tuning
