// What is known of some logs when one of them cannot be read.
#include "dataset/facts.h"

#include <gtest/gtest.h>

#include "dataset/testing/made_log.h"

namespace loam::dataset {
namespace {

bool go_on(std::string_view, std::uint64_t, std::uint64_t) { return true; }

/// A log whose server gives nothing of some kind.
class BrokenLog final : public ledger::LogSource {
 public:
  BrokenLog(testing::MadeLog& log, std::string_view missing, ErrorCode code)
      : log_(log), missing_(missing), code_(code) {}

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    if (path.starts_with(missing_)) return fail(code_, "it does not answer");
    auto content = log_.read(path, bytes_max);
    // The last record is another one than was signed.
    if (missing_.empty() && content && path != "checkpoint") content->back() ^= 1;
    return content;
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override { return log_.body(id); }
  std::string name() const override { return "a broken log"; }

 private:
  testing::MadeLog& log_;
  const std::string missing_;  // how its path begins
  const ErrorCode code_;
};

class FactsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kept_ = first_.data("What is near?", "What is here.");
    lost_ = broken_.data("What is far?", "What is there.");
    broken_.succeed(9);
    lost_retraction_ = broken_.retract(lost_);
    // By the same author in another log.
    last_.set_author(1);
    elsewhere_ = last_.retract(kept_);
  }
  /// What is left of the three if the middle one fails so, and what was said of it.
  Result<Facts> gathered(BrokenLog& broken) {
    return gather({{first_.key(), &first_}, {broken_.key(), &broken}, {last_.key(), &last_}},
                  ledger::kPublicNet, 1, go_on,
                  [&](const crypto::VerifierKey& log, const Error& why) -> Result<> {
                    said_.emplace_back(log.name, why);
                    return {};
                  });
  }

  testing::MadeLog first_{100, 1}, broken_{101, 2}, last_{102, 3};
  ledger::RecordId kept_, lost_, lost_retraction_, elsewhere_;
  std::vector<std::pair<std::string, Error>> said_;
};

TEST_F(FactsTest, ALogThatCannotBeReadIsLeftOutAndNamed) {
  for (const auto& [missing, code] : {std::pair{"checkpoint", ErrorCode::kNotFound},
                                      {"tile", ErrorCode::kDeadlineExceeded},
                                      {"", ErrorCode::kCorrupt}}) {
    said_.clear();
    BrokenLog broken(broken_, missing, code);
    const auto facts = gathered(broken);
    ASSERT_TRUE(facts) << facts.error().message;
    ASSERT_EQ(said_.size(), 1U) << missing;
    EXPECT_EQ(said_.front().first, broken_.key().name);
    EXPECT_EQ(said_.front().second.code, code) << said_.front().second.message;
    ASSERT_EQ(facts->logs.size(), 2U);
    EXPECT_EQ(facts->find(lost_), nullptr);
    // Those that are left speak of each other still.
    ASSERT_NE(facts->find(kept_), nullptr);
    EXPECT_TRUE(facts->find(kept_)->retracted);
    EXPECT_EQ(facts->find(elsewhere_)->id, elsewhere_);
  }
}

TEST_F(FactsTest, WithoutSomebodyToTellTheFirstThatFailsEndsIt) {
  BrokenLog broken(broken_, "checkpoint", ErrorCode::kUnavailable);
  const auto facts =
      gather({{first_.key(), &first_}, {broken_.key(), &broken}}, ledger::kPublicNet, 1, go_on);
  EXPECT_EQ(facts.error().code, ErrorCode::kUnavailable);
}

TEST_F(FactsTest, AnInterruptIsNoFaultOfALog) {
  BrokenLog broken(broken_, "checkpoint", ErrorCode::kCancelled);
  EXPECT_EQ(gathered(broken).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(said_.empty());
}

TEST_F(FactsTest, ALogIsNamedOnce) {
  const auto facts =
      gather({{first_.key(), &first_}, {first_.key(), &first_}}, ledger::kPublicNet, 1, go_on);
  EXPECT_EQ(facts.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::dataset
