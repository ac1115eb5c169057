#include "dataset/repetition.h"

#include <gtest/gtest.h>

namespace loam::dataset {
namespace {

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

const char* const kProse =
    "The river rose in the night and by morning the lower meadow was under water. We moved the "
    "sheep to "
    "the hill, two at a time, while my brother cut the fence where the posts had gone soft. Nobody "
    "spoke "
    "much. When the sun came out the whole valley shone like a plate, and the first swallows of "
    "the year "
    "were hunting over it as if nothing had happened at all.";

TEST(Repetition, LeavesProseAlone) { EXPECT_EQ(repetition_of(kProse), std::nullopt); }

TEST(Repetition, LeavesShortAnswersAlone) {
  EXPECT_EQ(repetition_of(repeated("yes ", 10)), std::nullopt);
  EXPECT_EQ(repetition_of(""), std::nullopt);
}

TEST(Repetition, NamesTheRuleThatIsBroken) {
  EXPECT_EQ(repetition_of(repeated("It is a line that comes again.\n", 12)), "lines");
  EXPECT_EQ(repetition_of(repeated(std::string(kProse) + "\n\n", 3)), "lines");
  EXPECT_EQ(repetition_of(repeated("of course ", 60)), "top-2-gram");
  std::string loop = kProse;
  for (int i = 0; i < 4; ++i)
    loop += " And that is the reason why the answer to the question is not known yet.";
  EXPECT_TRUE(repetition_of(loop));
}

}  // namespace
}  // namespace loam::dataset
