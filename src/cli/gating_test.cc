#include "cli/gating.h"

#include <gtest/gtest.h>

namespace loam::cli {
namespace {

TEST(Gating, IsRefusedWhereBaseAndCandidateDoNotFit) {
  catalog::Model base;
  base.bytes = std::uint64_t{400} << 20;
  base.facts.context = 4096;
  base.facts.kv_bytes_per_token = 32 << 10;  // 128 MiB of the context
  EXPECT_TRUE(check_gate_memory(base, 0)) << "it is not capped";
  EXPECT_TRUE(check_gate_memory(base, std::uint64_t{2000} << 20));
  const auto refused = check_gate_memory(base, std::uint64_t{500} << 20);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(refused.error().hint.contains("training.memory_max")) << refused.error().hint;
}

}  // namespace
}  // namespace loam::cli
