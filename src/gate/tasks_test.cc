#include "gate/tasks.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace loam::gate {
namespace {

/// The first task of a family whose question has `part`.
Task task(std::string_view family, std::string_view part = "") {
  for (Task& made : make_tasks(600, Draws(crypto::Digest{9})))
    if (made.family == family && made.question.contains(part)) return std::move(made);
  ADD_FAILURE() << family;
  return {};
}

TEST(Tasks, TheSameDrawsMakeTheSameTasks) {
  const auto first = make_tasks(12, Draws(crypto::Digest{1}));
  const auto again = make_tasks(12, Draws(crypto::Digest{1}));
  const auto other = make_tasks(12, Draws(crypto::Digest{2}));
  ASSERT_EQ(first.size(), 12U);
  EXPECT_TRUE(std::ranges::equal(first, again, {}, &Task::question, &Task::question));
  EXPECT_FALSE(std::ranges::equal(first, other, {}, &Task::question, &Task::question));
}

TEST(Tasks, NoneIsDoneByNothingOrByChatter) {
  for (const Task& made : make_tasks(60, Draws(crypto::Digest{4}))) {
    EXPECT_FALSE(made.check("")) << made.question;
    EXPECT_FALSE(made.check("I am happy to help you with that!")) << made.question;
  }
}

TEST(Tasks, ASumIsANumberOfItsOwn) {
  const Task sum = task("sum", "2 + 3?");
  EXPECT_TRUE(sum.check("The answer is 5."));
  EXPECT_FALSE(sum.check("15"));
  EXPECT_FALSE(sum.check("50"));
}

TEST(Tasks, ACopyIsTheWordAndCapitalsAreCapitals) {
  const Task copy = task("copy", "zebra");
  EXPECT_TRUE(copy.check("Zebra."));
  EXPECT_FALSE(copy.check("zebras"));
  const Task capitals = task("capitals", "zebra");
  EXPECT_TRUE(capitals.check("ZEBRA"));
  EXPECT_FALSE(capitals.check("Zebra"));
}

TEST(Tasks, JsonMustBeJson) {
  const Task json = task("json", "\"zebra\"");
  const auto at = json.question.find("value is ") + 9;
  const std::string number = json.question.substr(at, json.question.find('.', at) - at);
  EXPECT_TRUE(json.check("```json\n{\"zebra\": " + number + "}\n```"));
  EXPECT_FALSE(json.check("{zebra: " + number + "}"));
  EXPECT_FALSE(json.check("} {"));
  EXPECT_FALSE(json.check("{\"zebra\": \"" + number + "\"}"));
}

}  // namespace
}  // namespace loam::gate
