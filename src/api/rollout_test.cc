// An adapter that is being tried, as whoever asks the node sees it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "api/testing/test_node.h"
#include "release/taken.h"

namespace loam::api {
namespace {

using release::Stage;
using testing::at;
using testing::text_of;

constexpr std::string_view kQuestion =
    R"({"model":"sailor","messages":[{"role":"user","content":"hi"}],"max_tokens":4})";

ledger::RecordId record(std::uint8_t n) { return {crypto::Digest{n}}; }

using Started = Result<std::unique_ptr<engine::Engine>>;

/// As another engine is, but no answer of it ends well.
class DyingEngine final : public engine::Engine {
 public:
  explicit DyingEngine(std::unique_ptr<Engine> inner) : inner_(std::move(inner)) {}
  const engine::ModelInfo& info() const override { return inner_->info(); }
  Result<std::vector<engine::TokenId>> tokenize(std::string_view text,
                                                engine::SpecialTokens special,
                                                bool add_bos) override {
    return inner_->tokenize(text, special, add_bos);
  }
  Result<std::string> detokenize(const std::vector<engine::TokenId>& tokens) override {
    return inner_->detokenize(tokens);
  }
  Result<engine::RenderedChat> render(const std::vector<engine::ChatMessage>& messages,
                                      bool add_generation_prompt) override {
    return inner_->render(messages, add_generation_prompt);
  }
  Result<std::vector<engine::Embedding>> embed(
      const std::vector<std::vector<engine::TokenId>>& inputs) override {
    return inner_->embed(inputs);
  }
  Result<engine::RequestId> generate(engine::GenerateRequest, engine::EventSink sink) override {
    sink(engine::RequestFailed{{ErrorCode::kUnavailable, "the worker process died"}});
    return engine::RequestId{1};
  }
  void cancel(engine::RequestId) override {}
  engine::EngineStats stats() override { return inner_->stats(); }
  bool broken(std::string*) override { return false; }

 private:
  const std::unique_ptr<Engine> inner_;
};

class RolloutApiTest : public testing::NodeTest {
 protected:
  void begin(Stage stage) {
    add_adapter("sailor", 1);
    add_adapter("sailor:next", 2);
    release::Rollout rollout;
    rollout.publication = record(2);
    rollout.adapter = catalog_->find("sailor:next")->adapter->sha256;
    rollout.adapter_before = catalog_->find("sailor")->adapter->sha256;
    rollout.stage = stage;
    ASSERT_TRUE(book_.change(
        [&](release::ChannelBook::Content& all) { all.rollouts["sailor"] = rollout; }));
  }
  void add_adapter(const std::string& name, std::uint8_t publication) {
    const std::string bytes = catalog::testing::small_adapter().text("general.name", name).bytes();
    const env::Path file = folder_ / "adapter.gguf";
    ASSERT_TRUE(env::write_file_atomic(file, bytes));
    ASSERT_TRUE(catalog_->add_adapter(name, *catalog_->find("tiny"), file,
                                      crypto::sha256(as_bytes(bytes)),
                                      release::source_of(record(publication))));
  }
  void load_as(pool::EngineStarter starter, std::size_t models_max = 4) {
    app_.reset();
    pool::ResidencyOptions options;
    options.models_max = models_max;
    residency_ = pool::Residency::create(*catalog_, std::move(starter), options, clock_);
    app_ =
        App::create(Services{*catalog_, *residency_, *keys_, *answers_, *log_, *sharing_, *search_,
                             *following_, *blobs_, *files_, *training_, *rollouts_, clock_, [] {}},
                    settings_);
  }
  /// The new adapter cannot be loaded for this; counts how often it was tried.
  void next_fails(ErrorCode code) {
    load_as([this, code](const pool::EngineOrder& order) -> Started {
      if (order.model.name != "sailor:next") return engine::start_fake_engine(order.options, 0);
      ++tried_;
      return fail(code, "load sailor:next: not today");
    });
  }
  /// A worker of the new adapter dies at its first token.
  void next_dies() {
    load_as([](const pool::EngineOrder& order) -> Started {
      auto fake = LOAM_TRY(engine::start_fake_engine(order.options, 0));
      if (order.model.name != "sailor:next") return fake;
      return std::make_unique<DyingEngine>(std::move(fake));
    });
  }
  bool is_tried() { return rollout() && rollout()->publication == record(2); }
  using testing::NodeTest::begin;
  testing::Reply ask() {
    const auto reply = post("/v1/chat/completions", std::string(kQuestion), owner_);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply;
  }
  void rate(const testing::Reply& reply, std::string_view vote) {
    const auto rated = post("/loam/v1/answers/" + text_of(at(reply.json, "id")) + "/rate",
                            "{\"vote\":\"" + std::string(vote) + "\"}", owner_);
    EXPECT_EQ(rated.status, 200) << rated.body;
  }
  std::optional<release::Rollout> rollout() {
    rollouts_->flush();
    const auto content = book_.read().value();
    const auto found = content.rollouts.find("sailor");
    return found == content.rollouts.end() ? std::nullopt : std::optional(found->second);
  }

  const release::ChannelBook book_{folder_ / "channels"};
  std::atomic<int> tried_ = 0;
};

TEST_F(RolloutApiTest, EveryTenthAnswerIsTheNewOnesAndTellsSo) {
  begin(Stage::kShare);
  std::map<std::string, int> answered;
  std::set<std::string> fingerprints;
  for (int i = 0; i < 20; ++i) {
    const auto reply = ask();
    ++answered[text_of(at(reply.json, "model"))];
    fingerprints.insert(text_of(at(reply.json, "system_fingerprint")));
  }
  EXPECT_EQ(answered, (std::map<std::string, int>{{"sailor", 18}, {"sailor:next", 2}}));
  EXPECT_EQ(fingerprints.size(), 2U);
  EXPECT_EQ(rollout()->answers, 2U);
}

TEST_F(RolloutApiTest, PrivateVotesTurnAgainstIt) {
  begin(Stage::kShare);
  for (int i = 0; i < 30; ++i) {
    const auto reply = ask();
    rate(reply, text_of(at(reply.json, "model")) == "sailor" ? "up" : "down");
  }
  ASSERT_TRUE(rollout());
  EXPECT_EQ(rollout()->publication, record(1)) << "the one before";
  EXPECT_EQ(book_.read()->decisions.at(record(2)).state, release::Decision::State::kRolledBack);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  EXPECT_EQ(text_of(at(ask().json, "model")), "sailor");
}

TEST_F(RolloutApiTest, InTheShadowItAnswersTheSamePromptsUnheard) {
  begin(Stage::kShadow);
  for (int i = 0; i < 500 && rollout()->stage == Stage::kShadow; ++i)
    EXPECT_EQ(text_of(at(ask().json, "model")), "sailor");
  EXPECT_EQ(rollout()->stage, Stage::kShare);
}

TEST_F(RolloutApiTest, WhenItComesToAnswerAllNoRequestIsDropped) {
  begin(Stage::kShare);
  const auto before = text_of(at(ask().json, "system_fingerprint"));
  std::atomic<bool> over = false;
  std::atomic<int> good = 0, bad = 0;
  const auto keep_asking = [&] {
    while (!over) {
      http::Request request =
          http::test_request(http::Method::kPost, "/v1/chat/completions", std::string(kQuestion));
      request.headers.add("Authorization", "Bearer " + owner_);
      ++(begin(std::move(request))->wait().status == 200 ? good : bad);
    }
  };
  std::vector<std::jthread> people;
  for (int i = 0; i < 3; ++i) people.emplace_back(keep_asking);
  for (int i = 0; i < 12; ++i) rollouts_->voted(std::to_string(i), rollout()->adapter, false);
  for (int i = 0; i < 2000 && rollout()->stage != Stage::kAll; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // A model that was used a moment ago is used on without a look at the catalogue.
  for (int i = 0; i < 2000 && text_of(at(ask().json, "system_fingerprint")) == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  over = true;
  people.clear();
  EXPECT_EQ(rollout()->stage, Stage::kAll);
  EXPECT_NE(text_of(at(ask().json, "system_fingerprint")), before);
  EXPECT_GT(good, 0);
  EXPECT_EQ(bad, 0);
}

TEST_F(RolloutApiTest, IfItCannotBeLoadedTheOneBeforeAnswersThatPromptToo) {
  begin(Stage::kShare);
  ASSERT_TRUE(env::remove_file(catalog_->find("sailor:next")->adapter->file));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(text_of(at(ask().json, "model")), "sailor");
  EXPECT_EQ(rollout()->publication, record(1));
}

TEST_F(RolloutApiTest, IfNeitherCanBeLoadedTheNewOneIsNotToBlame) {
  begin(Stage::kShare);
  load_as([](const pool::EngineOrder&) -> Started {
    return fail(ErrorCode::kCorrupt, "the base changed");
  });
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(post("/v1/chat/completions", std::string(kQuestion), owner_).status, 500);
  EXPECT_TRUE(is_tried());
}

TEST_F(RolloutApiTest, WhatPassesLeavesItOnTrialAndTheOneBeforeAnswersMeanwhile) {
  begin(Stage::kShare);
  for (const ErrorCode code :
       {ErrorCode::kResourceExhausted, ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded}) {
    next_fails(code);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(text_of(at(ask().json, "model")), "sailor");
    EXPECT_TRUE(is_tried()) << error_code_name(code);
  }
  EXPECT_EQ(tried_, 3);
}

TEST_F(RolloutApiTest, NoRoomBesideTheOneBeforeIsNotItsFault) {
  begin(Stage::kShare);
  load_as(
      [](const pool::EngineOrder& order) { return engine::start_fake_engine(order.options, 0); },
      1);
  const auto in_use = residency_->acquire("sailor");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(text_of(at(ask().json, "model")), "sailor");
  EXPECT_TRUE(is_tried());
}

TEST_F(RolloutApiTest, InTheShadowToo) {
  begin(Stage::kShadow);
  next_fails(ErrorCode::kResourceExhausted);
  // The third try comes after the second was counted, if it was.
  for (int i = 0; tried_ < 3 && i < 1000; ++i) ask();
  EXPECT_TRUE(is_tried());
  EXPECT_EQ(rollout()->answers, 0U);
  next_fails(ErrorCode::kCorrupt);
  for (int i = 0; i < 500 && is_tried(); ++i) ask();
  EXPECT_FALSE(is_tried());
}

TEST_F(RolloutApiTest, ANodeThatStopsWhileItLoadsTriesItAgainNextTime) {
  begin(Stage::kShadow);
  load_as([this](const pool::EngineOrder& order) -> Started {
    if (order.model.name != "sailor:next") return engine::start_fake_engine(order.options, 0);
    ++tried_;
    while (!order.stop.stop_requested()) std::this_thread::yield();
    return fail(ErrorCode::kNotFound, "load sailor:next: stopped half-way");
  });
  for (int i = 0; tried_ == 0 && i < 1000; ++i) ask();
  app_->begin_stopping();
  residency_->begin_stopping();
  app_.reset();
  EXPECT_TRUE(is_tried());
}

TEST_F(RolloutApiTest, AnswersThatFailInItsEngineEndATrial) {
  begin(Stage::kShare);
  next_dies();
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    failed += post("/v1/chat/completions", std::string(kQuestion), owner_).status == 503 ? 1 : 0;
    rollouts_->flush();
  }
  EXPECT_EQ(failed, 3);
  EXPECT_FALSE(is_tried());
  const auto decision = book_.read()->decisions.at(record(2));
  EXPECT_EQ(decision.state, release::Decision::State::kRolledBack);
  EXPECT_TRUE(decision.why.contains("3 of them are answers that failed")) << decision.why;
}

TEST_F(RolloutApiTest, AVoteIsUpOrDownAndOnAnAnswerOfYours) {
  add_adapter("sailor", 1);
  const std::string target = "/loam/v1/answers/" + text_of(at(ask().json, "id")) + "/rate";
  EXPECT_EQ(post(target, R"({"vote":"up"})", owner_).status, 200);
  EXPECT_EQ(post(target, R"({"vote":"none"})", owner_).status, 400);
  EXPECT_EQ(post(target, R"({"vote":"sideways"})", owner_).status, 400);
  EXPECT_EQ(post(target, R"({"vote":"up","choice":7})", owner_).status, 404);
  EXPECT_EQ(post("/loam/v1/answers/nothing/rate", R"({"vote":"up"})", owner_).status, 404);
}

}  // namespace
}  // namespace loam::api
