#include "tuning/batches.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

namespace loam::tuning {
namespace {

using Plan = std::vector<BatchPlan>;

RC_GTEST_PROP(PlanEpoch, TakesEveryExampleOnceAndKeepsToItsLimits, ()) {
  const std::size_t tokens_max = *rc::gen::inRange<std::size_t>(1, 100);
  const std::size_t examples_max = *rc::gen::inRange<std::size_t>(1, 10);
  const auto lengths =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, tokens_max));
  const Plan plan = plan_epoch(lengths, tokens_max, examples_max, 1, 0);
  std::vector<std::size_t> seen;
  for (const BatchPlan& batch : plan) {
    std::size_t tokens = 0;
    for (const std::size_t i : batch) tokens += lengths[i];
    RC_ASSERT(!batch.empty());
    RC_ASSERT(tokens <= tokens_max);
    RC_ASSERT(batch.size() <= examples_max);
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  std::ranges::sort(seen);
  std::vector<std::size_t> all(lengths.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  RC_ASSERT(seen == all);
}

TEST(PlanEpoch, DiffersFromPassToPassAndFromSeedToSeed) {
  const std::vector<std::size_t> lengths(50, 1);
  const Plan plan = plan_epoch(lengths, 8, 8, 1, 0);
  EXPECT_EQ(plan, plan_epoch(lengths, 8, 8, 1, 0));
  EXPECT_NE(plan, plan_epoch(lengths, 8, 8, 1, 1));
  EXPECT_NE(plan, plan_epoch(lengths, 8, 8, 2, 0));
}

TEST(PlanEpoch, NeverChanges) {
  // By hashlib: sorted(range(6), key=lambda i: sha256(b"loam.order.v1" + pack("<QQQ", 7, 1,
  // i)).digest())
  EXPECT_EQ(plan_epoch(std::vector<std::size_t>{1, 1, 1, 1, 1, 1}, 4, 9, 7, 1),
            (Plan{{4, 2, 3, 5}, {1, 0}}));
}

}  // namespace
}  // namespace loam::tuning
