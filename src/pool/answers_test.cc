#include "pool/answers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "env/random.h"
#include "env/thread.h"
#include "pool/answer_table.h"
#include "store/testing/planted_gap.h"

namespace loam::pool {
namespace {

/// A clock that the writer may look at while a test moves it.
class SharedClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return now_ms_; }
  std::int64_t steady_ms() override { return now_ms_; }
  void advance_ms(std::int64_t by) { now_ms_ += by; }

 private:
  std::atomic<std::int64_t> now_ms_ = 1'700'000'000'000;
};

constexpr std::int64_t kDayMs = 24 * 3'600'000;

class AnswersTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<AnswerStore> opened(int keep_days = 30) {
    auto store = AnswerStore::open(file_, keep_days, clock_);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }
  Answer made(const std::string& caller, const std::string& reply_id, std::uint32_t choice = 0) {
    Answer answer;
    answer.caller = caller;
    answer.reply_id = reply_id;
    answer.choice = choice;
    answer.made_ms = clock_.wall_ms();
    answer.text = "text of " + reply_id;
    return answer;
  }
  bool on_disk(const std::string& text) const {
    for (const char* end : {"", "-wal"}) {
      const auto content = env::read_file(file_.string() + end, 1 << 26);
      if (content && content->contains(text)) return true;
    }
    return false;
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-answers-");
  env::Path file_ = folder_ / "answers.db";
  SharedClock clock_;
};

TEST_F(AnswersTest, GivesBackAllThatAnAuditNeedsAfterARestart) {
  Answer answer = made("key_1", "chatcmpl-1", 2);
  answer.model_name = "smollm2";
  answer.model_sha256.fill(7);
  answer.engine_build = "b1";
  answer.cpu_class = "x86-64-v3";
  answer.prompt_json = R"([{"role":"user"}])";
  answer.template_system = "You are tiny.";
  answer.prompt_tokens = {1, 2, 2'000'000'000};
  answer.output_tokens = {5, 0};
  answer.lp16 = {-32768, -1, 0, 32767};
  answer.text = std::string("a\0b", 3);
  answer.finish = engine::FinishReason::kLength;
  answer.sampling = {800'000, 40, 950'000, 50'000, 1'100'000, -2'000'000, 1, {{3, -5}, {4, 6}}};
  answer.seed_mode = engine::SeedMode::kInteger;
  answer.seed_entropy.fill(9);
  opened()->add(answer);
  const Answer found = opened()->find("key_1", "chatcmpl-1", 2).value();
  EXPECT_EQ(found.made_ms, answer.made_ms);
  EXPECT_EQ(found.model_name, answer.model_name);
  EXPECT_EQ(found.model_sha256, answer.model_sha256);
  EXPECT_EQ(found.engine_build, answer.engine_build);
  EXPECT_EQ(found.cpu_class, answer.cpu_class);
  EXPECT_EQ(found.prompt_json, answer.prompt_json);
  EXPECT_EQ(found.template_system, answer.template_system);
  EXPECT_EQ(found.prompt_tokens, answer.prompt_tokens);
  EXPECT_EQ(found.output_tokens, answer.output_tokens);
  EXPECT_EQ(found.lp16, answer.lp16);
  EXPECT_EQ(found.text, answer.text);
  EXPECT_EQ(found.finish, answer.finish);
  EXPECT_EQ(found.sampling, answer.sampling);
  EXPECT_EQ(found.seed_mode, answer.seed_mode);
  EXPECT_EQ(found.seed_entropy, answer.seed_entropy);
}

TEST_F(AnswersTest, OnlyTheCallerReadsAnAnswer) {
  auto store = opened();
  store->add(made("key_1", "r1"));
  EXPECT_TRUE(store->find("key_1", "r1", 0).has_value());
  EXPECT_EQ(store->find("key_2", "r1", 0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store->find("key_1", "r1", 1).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store->list("key_2", 10).value().empty());
}

TEST_F(AnswersTest, ListsTheNewestFirst) {
  auto store = opened();
  for (const char* id : {"r1", "r2", "r3"}) {
    store->add(made("owner", id));
    clock_.advance_ms(1);
  }
  const auto answers = store->list("owner", 2).value();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].reply_id, "r3");
  EXPECT_EQ(answers[1].reply_id, "r2");
}

TEST_F(AnswersTest, ForgetsACallersAnswersAndOverwritesThem) {
  auto store = opened();
  store->add(made("key_1", "the first secret"));
  store->add(made("key_1", "the second secret"));
  store->add(made("key_2", "another"));
  EXPECT_EQ(store->forget_all("key_1").value(), 2U);
  EXPECT_EQ(store->forget_all("key_1").value(), 0U);
  EXPECT_FALSE(on_disk("secret"));
  EXPECT_TRUE(store->find("key_2", "another", 0).has_value());
}

TEST_F(AnswersTest, ForgetsAConversationWithItsOtherTurns) {
  auto store = opened();
  const auto add = [&](const std::string& caller, const std::string& id, const char* prompt) {
    Answer answer = made(caller, id);
    answer.prompt_json = prompt;
    store->add(std::move(answer));
  };
  constexpr const char* kAsked = R"([{"role":"user","content":"a secret"}])";
  constexpr const char* kWentOn = R"([{"role":"user","content":"a secret"},
    {"role":"assistant","content":"text of r1"},{"role":"user","content":"more"}])";
  add("owner", "r1", kAsked);
  add("local", "r2", kWentOn);  // by a program that has no token
  add("owner", "r3", R"([{"role":"user","content":"something else"}])");
  add("key_1", "r4", R"([{"role":"user","content":"a question of a key"}])");
  EXPECT_EQ(store->forget_conversation("r1").value(), 2U);
  EXPECT_EQ(store->forget_conversation("r1").value(), 0U);
  EXPECT_FALSE(on_disk("secret"));
  EXPECT_TRUE(store->find("owner", "r3", 0).has_value());
  EXPECT_TRUE(store->find("key_1", "r4", 0).has_value());
  add("owner", "r5", kAsked);
  add("key_1", "r6", kWentOn);
  EXPECT_EQ(store->forget_conversation("r6").value(), 1U);  // nothing of others
  EXPECT_TRUE(store->find("owner", "r5", 0).has_value());
}

TEST_F(AnswersTest, OverwritesAtTheStartWhatACrashKeptFromBeingOverwritten) {
  opened()->add(made("owner", "r1"));
  ASSERT_TRUE(store::testing::plant_in_gap(file_, "a planted needle"));
  EXPECT_TRUE(on_disk("a planted needle"));
  EXPECT_TRUE(opened()->find("owner", "r1", 0).has_value());
  EXPECT_FALSE(on_disk("a planted needle"));
}

TEST_F(AnswersTest, DeletesWhatIsOlderThanItKeeps) {
  auto store = opened(2);
  store->add(made("owner", "old words"));
  store->flush();
  clock_.advance_ms(kDayMs);
  store->add(made("owner", "young words"));
  store->flush();
  EXPECT_TRUE(store->find("owner", "old words", 0).has_value());
  clock_.advance_ms(kDayMs + 1);
  store->flush();  // makes the writer look at the clock
  EXPECT_FALSE(store->find("owner", "old words", 0).has_value());
  EXPECT_FALSE(on_disk("old words"));
  EXPECT_TRUE(store->find("owner", "young words", 0).has_value());
  store.reset();
  clock_.advance_ms(kDayMs);
  store = opened(2);  // at the start too
  EXPECT_FALSE(on_disk("young words"));
}

TEST_F(AnswersTest, KeepsNothingWhereNothingIsToBeKept) {
  opened()->add(made("owner", "kept before"));
  auto store = opened(0);
  EXPECT_FALSE(on_disk("kept before"));
  store->add(made("owner", "new"));
  EXPECT_EQ(store->find("owner", "new", 0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(AnswerStore::open(file_, -1, clock_).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(AnswersTest, WhatDoesNotFitTheQueueIsCountedAndTheRestIsKept) {
  auto store = opened();
  Answer large = made("owner", "large");
  large.text.assign(std::size_t{65} << 20, 'x');
  store->add(std::move(large));
  store->add(made("owner", "small"));
  EXPECT_EQ(store->lost(), 1U);
  EXPECT_TRUE(store->find("owner", "small", 0).has_value());
}

TEST_F(AnswersTest, TakesAnswersFromSeveralThreads) {
  auto store = opened();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.push_back(env::start_thread("test", [&, i](const std::stop_token&) {
      for (std::uint32_t j = 0; j < 50; ++j) store->add(made("owner", "r" + std::to_string(i), j));
      store->flush();
    }));
  threads.clear();
  EXPECT_EQ(store->list("owner", 1000).value().size(), 200U);
  EXPECT_EQ(store->lost(), 0U);
}

}  // namespace
}  // namespace loam::pool
