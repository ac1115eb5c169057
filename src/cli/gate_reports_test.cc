#include "cli/gate_reports.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "env/random.h"

namespace loam::cli {
namespace {

class GateReportsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    std::filesystem::remove_all(gates_);
    std::filesystem::remove(gates_.string() + ".lock");
  }

  /// A report that its adapter lost with.
  static gate::Report report(std::string_view adapter, std::uint8_t nonce) {
    gate::Report out;
    out.adapter = crypto::sha256(as_bytes(adapter));
    out.nonce = {nonce};
    for (int i = 0; i < 20; ++i)
      out.measured.losses.push_back({"r" + std::to_string(i), 20, 2'000'000, 3'000'000});
    return out;
  }
  env::Path keep(const gate::Report& report) { return keep_gate_report(gates_, report).value(); }
  gate::Before before(const gate::Report& report) { return gated_before(gates_, report).value(); }

  const env::Path gates_ = std::filesystem::temp_directory_path() / env::random_id("loam-gates-");
};

TEST_F(GateReportsTest, ALossIsKeptAndCountedWhenTheGateRunsAgain) {
  gate::Report first = report("a", 1);
  EXPECT_EQ(before(first).tries, 0U);
  const env::Path newest = keep(first);
  EXPECT_EQ(keep(first), newest);
  EXPECT_EQ(before(first).tries, 0U);  // the same slice is no other try
  gate::Report second = report("a", 2);
  second.tries_before = before(second).tries;
  EXPECT_EQ(second.tries_before, 1U);
  EXPECT_EQ(keep(second), newest);
  EXPECT_EQ(read_gate_report(newest)->nonce, second.nonce);
  const auto kept = kept_gate_reports(gates_).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].report->nonce, first.nonce);
  EXPECT_FALSE(kept[0].newest);
  EXPECT_EQ(kept[1].report->nonce, second.nonce);
  EXPECT_TRUE(kept[1].newest);
}

TEST_F(GateReportsTest, EveryGateOfOtherAdaptersCountsIfBaseAndDataSetAreTheSame) {
  keep(report("a", 1));
  keep(report("a", 2));
  gate::Report elsewhere = report("b", 1);
  elsewhere.data_set = crypto::sha256(as_bytes("another"));
  keep(elsewhere);
  EXPECT_EQ(before(report("c", 3)).candidates, 2U);
  EXPECT_EQ(before(report("c", 3)).tries, 0U);
  gate::Report newer = report("a", 2);
  newer.newer = crypto::sha256(as_bytes("newer"));  // another slice, whatever the nonce
  EXPECT_EQ(before(newer).tries, 2U);
}

TEST_F(GateReportsTest, GatesThatEndAtTheSameTimeCountEachOther) {
  constexpr std::uint8_t kGates = 6;
  {
    std::vector<std::jthread> threads;
    for (std::uint8_t nonce = 1; nonce <= kGates; ++nonce)
      threads.emplace_back([&, nonce] {
        gate::Report one = report("a", nonce);
        EXPECT_TRUE(count_and_keep(gates_, one));
      });
  }
  std::vector<std::uint32_t> tries;
  const auto all = kept_gate_reports(gates_).value();
  for (const KeptReport& kept : all) tries.push_back(kept.report->tries_before);
  EXPECT_EQ(tries, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(GateReportsTest, AReplayTakesNoReportsPlaceAndIsNoTry) {
  const gate::Report first = report("a", 1);
  const env::Path newest = keep(first);
  const std::string text = env::read_file(newest, gate::kReportBytesMax).value();
  gate::Report again = first;
  again.measured.losses[3].candidate += 2 * gate::kScoreTolerance;
  again.replay = gate::Report::Replay{crypto::sha256(as_bytes(text)), difference(first, again)};
  ASSERT_FALSE(again.replay->found.within_tolerance());
  const env::Path file = keep(again);
  EXPECT_NE(file, newest);
  EXPECT_EQ(env::read_file(newest, gate::kReportBytesMax).value(), text);
  EXPECT_EQ(read_gate_report(file)->replay, again.replay);
  EXPECT_EQ(before(report("a", 2)).tries, 1U);
  const auto kept = kept_gate_reports(gates_).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_TRUE(kept[0].newest);
  EXPECT_TRUE(kept[1].report->replay.has_value());
}

TEST_F(GateReportsTest, WhatAnEarlierVersionLeftIsKeptAndCounted) {
  const gate::Report first = report("a", 1);
  const env::Path newest = keep(first);
  std::filesystem::remove_all(newest.parent_path() / "tries");
  std::string text = env::read_file(newest, gate::kReportBytesMax).value();
  text.replace(text.find("\"format\": 4"), 11, "\"format\": 1");
  ASSERT_TRUE(env::write_file_atomic(newest, text));
  EXPECT_EQ(before(report("a", 2)).tries, 1U);
  EXPECT_EQ(before(report("b", 2)).candidates, 1U);
  keep(report("a", 2));
  EXPECT_EQ(before(report("a", 3)).tries, 2U);
  const auto kept = kept_gate_reports(gates_).value();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_FALSE(kept[0].report.has_value());
  EXPECT_TRUE(kept_gate_reports(gates_ / "none")->empty());
}

}  // namespace
}  // namespace loam::cli
