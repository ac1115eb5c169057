#include "train/cost.h"

#include <gtest/gtest.h>

#include "train/testing/smollm2_shape.h"

namespace loam::train {
namespace {

const Shape kSmall = testing::smollm2_shape();

TEST(Cost, CountsTheParametersOfAKnownModel) {
  EXPECT_EQ(parameter_count(kSmall, false), 134'515'008U);  // as its file says
  EXPECT_EQ(parameter_count(kSmall, AdapterOptions{}), 30U * 8 * (2 * 1152 + 2 * 768 + 3 * 2112));
  EXPECT_EQ(parameter_count(kSmall, AdapterOptions{.first_layer = 30}), 0U);
}

TEST(Cost, WhatIsKeptAndHowMuchAtOnceDecideOverMemory) {
  const auto bytes = [](Keep keep, std::size_t tokens) {
    return training_bytes(kSmall, false, {}, keep, tokens);
  };
  EXPECT_GT(bytes(Keep::kProducts, 0), 4 * parameter_count(kSmall, false));
  EXPECT_LT(bytes(Keep::kLayerInputs, 1024), bytes(Keep::kProducts, 1024));
  EXPECT_LT(bytes(Keep::kProducts, 512), bytes(Keep::kProducts, 1024));
}

TEST(Cost, AllParametersCostThreeProductsEachAndFiveCopies) {
  const Traffic traffic{.tokens = 1024, .learned = 1024, .length = 256};
  EXPECT_NEAR(whole_training_gflop(kSmall, traffic), 1024 * 6 * (0.1062 + 0.0283),
              0.1 * 1024 * 6 * 0.1345);
  EXPECT_GT(whole_training_bytes(kSmall, false, Keep::kProducts, 0),
            5 * 4 * parameter_count(kSmall, false));
}

TEST(Cost, AFrozenLayerIsReadTwiceAndATrainedOneCostsMore) {
  const Traffic traffic{.tokens = 1024, .learned = 512, .length = 256};
  const double all = training_gflop(kSmall, {}, traffic);
  EXPECT_LT(training_gflop(kSmall, {.first_layer = 22}, traffic), 0.75 * all);
  // Forward and input gradient of 106 million frozen numbers, and of a head of 28 million.
  EXPECT_NEAR(all, 1024 * 4 * 0.1062 + 512 * 4 * 0.0283, 0.1 * all);
}

}  // namespace
}  // namespace loam::train
