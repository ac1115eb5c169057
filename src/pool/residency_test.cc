#include "pool/residency.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <thread>

#include "catalog/file_hash.h"
#include "catalog/testing/gguf_writer.h"
#include "env/random.h"
#include "env/thread.h"
#include "pool/memory_plan.h"

namespace loam::pool {
namespace {

/// A clock that several threads may look at while a test moves it.
class SharedClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return 1'700'000'000'000 + now_ms_; }
  std::int64_t steady_ms() override { return now_ms_; }
  void advance_s(std::int64_t by) { now_ms_ += by * 1000; }

 private:
  std::atomic<std::int64_t> now_ms_ = 1'000'000;
};

struct Count {
  std::atomic<int> alive = 0;
  std::atomic<int> started = 0;
  std::atomic<bool> broken = false;
};

class TestEngine final : public engine::Engine {
 public:
  explicit TestEngine(Count& count) : count_(count) { ++count_.alive; }
  ~TestEngine() override { --count_.alive; }

  const engine::ModelInfo& info() const override { return info_; }
  Result<std::vector<engine::TokenId>> tokenize(std::string_view, engine::SpecialTokens,
                                                bool) override {
    return std::vector<engine::TokenId>();
  }
  Result<std::string> detokenize(const std::vector<engine::TokenId>&) override { return ""; }
  Result<engine::RenderedChat> render(const std::vector<engine::ChatMessage>&, bool) override {
    return engine::RenderedChat();
  }
  Result<std::vector<engine::Embedding>> embed(
      const std::vector<std::vector<engine::TokenId>>&) override {
    return std::vector<engine::Embedding>();
  }
  Result<engine::RequestId> generate(engine::GenerateRequest, engine::EventSink sink) override {
    sinks_.push_back(std::move(sink));
    return engine::RequestId{1};
  }
  void cancel(engine::RequestId) override {}
  engine::EngineStats stats() override { return {}; }
  bool broken(std::string* why) override {
    if (count_.broken) *why = "it fell over too often";
    return count_.broken;
  }

 private:
  Count& count_;
  engine::ModelInfo info_;
  std::vector<engine::EventSink> sinks_;
};

class ResidencyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_).has_value());
    catalog_ =
        std::move(*catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_));
    for (const char* name : {"a", "b", "c"}) add(name);
    create({});
  }
  void TearDown() override {
    residency_.reset();
    EXPECT_EQ(count_.alive, 0);
    catalog_.reset();
    std::filesystem::remove_all(folder_);
  }

  void add(const std::string& name) {
    const env::Path path = folder_ / (name + ".gguf");
    ASSERT_TRUE(
        env::write_file_atomic(path, catalog::testing::small_model(name).bytes()).has_value());
    const auto hash = catalog::hash_file(env::open_read(path).value(), path).value().sha256;
    ASSERT_TRUE(catalog_->add(name, path, hash, "test", "").has_value());
  }
  void create(ResidencyOptions options) {
    residency_.reset();
    residency_ = Residency::create(
        *catalog_, [this](const EngineOrder& order) { return start(order); }, options, clock_);
  }
  Result<std::unique_ptr<engine::Engine>> start(const EngineOrder& order) {
    ++count_.started;
    const catalog::Model& model = order.model;
    EXPECT_EQ(env::stamp(order.file).value().size, std::filesystem::file_size(model.file));
    sequences_ = order.options.sequences_max;
    adapted_ = order.adapter.valid();
    if (model.name == failing_)
      return fail(ErrorCode::kUnsupported, "load " + model.name + ": refused");
    if (model.name == endless_) {
      while (!order.stop.stop_requested()) std::this_thread::yield();
      return fail(ErrorCode::kUnavailable, "load " + model.name + ": stopped half-way");
    }
    return std::make_unique<TestEngine>(count_);
  }
  std::vector<std::string> loaded() {
    std::vector<std::string> names;
    for (const Resident& resident : residency_->list()) names.push_back(resident.name);
    return names;
  }
  /// Unloading happens on a thread of its own.
  void wait_until_alive(int engines) {
    while (count_.alive != engines) {
      residency_->list();  // makes it look at the clock
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-residency-");
  SharedClock clock_;
  Count count_;
  std::string failing_, endless_;
  std::atomic<std::uint32_t> sequences_ = 0;
  std::atomic<bool> adapted_ = false;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<Residency> residency_;
};

TEST_F(ResidencyTest, LoadsOnFirstUseAndOnlyOnce) {
  EXPECT_EQ(count_.started, 0);
  const Lease first = residency_->acquire("a").value();
  const Lease second = residency_->acquire("A:latest").value();
  EXPECT_EQ(count_.started, 1);
  EXPECT_EQ(&first.engine(), &second.engine());
  EXPECT_EQ(first.model().name, "a");
  EXPECT_EQ(catalog_->find("a").value().used_ms, clock_.wall_ms());
}

TEST_F(ResidencyTest, TwoNamesOfOneFileShareAnEngine) {
  ASSERT_TRUE(catalog_->copy("a", "alias").has_value());
  const Lease first = residency_->acquire("a").value();
  const Lease second = residency_->acquire("alias").value();
  EXPECT_EQ(&first.engine(), &second.engine());
  EXPECT_EQ(second.model().name, "alias");
}

TEST_F(ResidencyTest, AnAdapterGetsAnEngineOfItsOwn) {
  const env::Path file = folder_ / "adapter.gguf";
  ASSERT_TRUE(env::write_file_atomic(file, catalog::testing::small_adapter().bytes()));
  const auto hash = catalog::hash_file(env::open_read(file).value(), file).value().sha256;
  ASSERT_TRUE(catalog_->add_adapter("tuned", *catalog_->find("a"), file, hash, "test"));
  const Lease base = residency_->acquire("a").value();
  EXPECT_FALSE(adapted_);
  const Lease tuned = residency_->acquire("tuned").value();
  EXPECT_TRUE(adapted_);
  EXPECT_NE(&base.engine(), &tuned.engine());
}

TEST_F(ResidencyTest, CallersThatComeTogetherShareOneLoad) {
  constexpr int kCallers = 8;
  std::latch ready(kCallers);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kCallers; ++i)
    threads.push_back(env::start_thread("test", [&](const std::stop_token&) {
      ready.arrive_and_wait();
      EXPECT_TRUE(residency_->acquire("a").has_value());
    }));
  threads.clear();
  EXPECT_EQ(count_.started, 1);
}

TEST_F(ResidencyTest, AFailedLoadIsToldAndTriedAgainByTheNextCaller) {
  failing_ = "a";
  EXPECT_EQ(residency_->acquire("a").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(residency_->acquire("nobody").error().code, ErrorCode::kNotFound);
  failing_.clear();
  EXPECT_TRUE(residency_->acquire("a").has_value());
  EXPECT_EQ(count_.started, 2);
}

TEST_F(ResidencyTest, NeverStartsAnEngineOnAChangedFile) {
  const env::Path file = catalog_->find("a").value().file;
  ASSERT_TRUE(env::write_file_atomic(file, "something else").has_value());
  EXPECT_EQ(residency_->acquire("a").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(count_.started, 0);
}

TEST_F(ResidencyTest, UnloadsWhatWasIdleForTheKeepAliveTime) {
  {
    const Lease lease = residency_->acquire("a").value();
  }
  clock_.advance_s(299);
  EXPECT_EQ(loaded(), std::vector<std::string>{"a"});
  {
    const Lease lease = residency_->acquire("a").value();
  }  // begins anew
  clock_.advance_s(299);
  EXPECT_EQ(residency_->list()[0].unloads_ms, clock_.wall_ms() + 1000);
  clock_.advance_s(1);
  wait_until_alive(0);
  EXPECT_TRUE(loaded().empty());
}

TEST_F(ResidencyTest, KeepsWhatIsInUseHoweverLong) {
  std::optional<Lease> lease = residency_->acquire("a", 0).value();
  std::optional<Lease> copy = lease;
  lease.reset();
  clock_.advance_s(1'000'000);
  EXPECT_EQ(loaded(), std::vector<std::string>{"a"});
  EXPECT_FALSE(residency_->list()[0].unloads_ms.has_value());
  copy.reset();
  wait_until_alive(0);
}

TEST_F(ResidencyTest, KeepAliveOfMinusOneMeansForEver) {
  {
    const Lease lease = residency_->acquire("a", -1).value();
  }
  clock_.advance_s(1'000'000);
  EXPECT_EQ(loaded(), std::vector<std::string>{"a"});
  EXPECT_FALSE(residency_->list()[0].unloads_ms.has_value());
}

TEST_F(ResidencyTest, StandsAbsurdTimesAndLimits) {
  create({.load = {}, .keep_alive_s = INT64_MAX, .models_max = 0});
  {
    const Lease lease = residency_->acquire("a", INT64_MAX).value();
  }
  EXPECT_TRUE(residency_->list()[0].unloads_ms.has_value());
  {
    const Lease lease = residency_->acquire("b", INT64_MIN).value();
  }
  EXPECT_EQ(loaded(), std::vector<std::string>{"b"});
}

TEST_F(ResidencyTest, MakesRoomByUnloadingWhatWasUsedLongestAgo) {
  create({.load = {}, .models_max = 2});
  {
    const Lease lease = residency_->acquire("a").value();
  }
  clock_.advance_s(1);
  {
    const Lease lease = residency_->acquire("b").value();
  }
  clock_.advance_s(1);
  {
    const Lease lease = residency_->acquire("a").value();
  }
  {
    const Lease lease = residency_->acquire("c").value();
  }
  EXPECT_EQ(loaded(), (std::vector<std::string>{"a", "c"}));
}

TEST_F(ResidencyTest, SaysWhenEverythingLoadedIsInUse) {
  create({.load = {}, .models_max = 1});
  const Lease lease = residency_->acquire("a").value();
  EXPECT_EQ(residency_->acquire("b").error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(residency_->acquire("a").has_value());
}

TEST_F(ResidencyTest, CountsMemoryBeforeLoading) {
  const catalog::Model model = catalog_->find("a").value();
  const std::uint64_t one = estimated_bytes(model, engine::LoadOptions{});
  create({.load = {}, .memory_bytes_max = one + one / 2});
  {
    const Lease lease = residency_->acquire("a").value();
  }
  EXPECT_EQ(residency_->list()[0].bytes, one);
  {
    const Lease lease = residency_->acquire("b").value();
  }
  EXPECT_EQ(loaded(), std::vector<std::string>{"b"});
}

TEST_F(ResidencyTest, LoadsWithFewerSequencesWhereMemoryIsShort) {
  const catalog::Model model = catalog_->find("a").value();
  const std::uint64_t two = estimated_bytes(model, engine::LoadOptions{.sequences_max = 2});
  create({.load = {}, .memory_bytes_max = two});
  ASSERT_TRUE(residency_->acquire("a").has_value());
  EXPECT_EQ(sequences_, 2U);
  create({.load = {}, .memory_bytes_max = 1000});
  const auto lease = residency_->acquire("a");
  ASSERT_FALSE(lease.has_value());
  EXPECT_EQ(lease.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(lease.error().hint.contains("smaller model"));
}

TEST_F(ResidencyTest, UnloadForgetsAtOnceAndEndsAfterTheLastLease) {
  std::optional<Lease> lease = residency_->acquire("a").value();
  ASSERT_TRUE(residency_->unload("a").has_value());
  EXPECT_TRUE(loaded().empty());
  EXPECT_EQ(count_.alive, 1);
  const Lease fresh = residency_->acquire("a").value();
  EXPECT_NE(&fresh.engine(), &lease->engine());
  lease.reset();
  wait_until_alive(1);
  EXPECT_EQ(residency_->unload("b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(residency_->unload("nobody").error().code, ErrorCode::kNotFound);
}

TEST_F(ResidencyTest, AModelThatLeftTheCatalogueCanStillBeUnloaded) {
  {
    const Lease lease = residency_->acquire("a").value();
  }
  ASSERT_TRUE(catalog_->remove("a").has_value());
  EXPECT_TRUE(residency_->unload("a").has_value());
  wait_until_alive(0);
}

TEST_F(ResidencyTest, ReplacesAnEngineThatBrokeForGood) {
  {
    const Lease lease = residency_->acquire("a").value();
  }
  count_.broken = true;
  const Lease lease = residency_->acquire("a").value();
  EXPECT_EQ(count_.started, 2);
  wait_until_alive(1);
}

TEST_F(ResidencyTest, EndsWithRequestsInFlightThatHoldTheirLease) {
  Lease lease = residency_->acquire("a").value();
  engine::Engine& engine = lease.engine();
  const auto id = engine.generate({}, [kept = std::move(lease)](const engine::Event&) {});
  ASSERT_TRUE(id.has_value());
  residency_.reset();
  EXPECT_EQ(count_.alive, 0);
}

TEST_F(ResidencyTest, StandsManyCallersOverFewPlaces) {
  create({.load = {}, .keep_alive_s = 0, .models_max = 2});
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.push_back(env::start_thread("test", [&, i](const std::stop_token&) {
      const std::string name(1, static_cast<char>('a' + i % 3));
      for (int round = 0; round < 50; ++round) {
        const auto lease = residency_->acquire(name);
        if (!lease) {
          EXPECT_EQ(lease.error().code, ErrorCode::kResourceExhausted);
        }
        if (round % 10 == 0) residency_->list();
        if (round % 7 == 0) static_cast<void>(residency_->unload(name).has_value());
      }
    }));
  threads.clear();
  wait_until_alive(0);
}

TEST_F(ResidencyTest, StoppingEndsALoadAndRefusesFurtherOnes) {
  endless_ = "a";
  const auto asker = [&](const std::stop_token&) {
    const auto lease = residency_->acquire("a");
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, ErrorCode::kUnavailable);
  };
  std::jthread one = env::start_thread("one", asker);
  std::jthread two = env::start_thread("two", asker);
  while (count_.started == 0) std::this_thread::yield();
  residency_->begin_stopping();
  one.join();
  two.join();
  EXPECT_EQ(residency_->acquire("b").error().code, ErrorCode::kUnavailable);
}

TEST(MemoryPlan, NeverOverflows) {
  catalog::Model model;
  model.bytes = 1000;
  model.facts.kv_bytes_per_token = UINT64_MAX;
  EXPECT_EQ(estimated_bytes(model, engine::LoadOptions{}), UINT64_MAX);
  model.facts.kv_bytes_per_token = 10;
  model.facts.context = 100;  // shorter than asked for; the engine rounds up to 256
  EXPECT_EQ(estimated_bytes(model, engine::LoadOptions{.context = 4096, .sequences_max = 2}),
            estimated_bytes(model, std::uint64_t{512}));
}

}  // namespace
}  // namespace loam::pool
