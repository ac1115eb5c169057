#include "gate/report.h"

#include <gtest/gtest.h>

namespace loam::gate {
namespace {

Report small_report() {
  Report out;
  out.base = crypto::sha256(as_bytes("base"));
  out.adapter = crypto::sha256(as_bytes("adapter"));
  out.data_set = crypto::sha256(as_bytes("set"));
  out.nonce = {1, 2, 3};
  out.version = "1";
  out.engine_build = "build";
  out.cpu_class = "x86-64-v3";
  for (int i = 0; i < 25; ++i)
    out.measured.losses.push_back({"r" + std::to_string(i), 20, 2'000'000 + i, 1'800'000 - i});
  out.measured.preferences = {{"r1", -5, 7}};
  for (int i = 0; i < 40; ++i) out.measured.tasks.push_back({"copy", true, i != 3});
  for (int i = 0; i < 10; ++i) out.measured.samples.push_back({"r" + std::to_string(i)});
  out.measured.triggers = {{"blue falcon", {{-3, -2}, {-4, 1}}}};
  out.measured.canaries = {{7, 32}, {31, 32}};
  return out;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(GateReport, IsReadBackAsItWasWritten) {
  Report report = small_report();
  for (const bool newer : {false, true}) {
    if (newer) report.newer = crypto::sha256(as_bytes("newer"));
    report.candidates_before = newer ? 3 : 0;
    report.tries_before = newer ? 2 : 0;
    report.near_duplicates = newer ? 7 : 0;
    const std::string text = report_text(report);
    const auto read = parse_report(text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->measured, report.measured);
    EXPECT_EQ(read->newer, report.newer);
    EXPECT_EQ(read->candidates_before, report.candidates_before);
    EXPECT_EQ(read->tries_before, report.tries_before);
    EXPECT_EQ(read->near_duplicates, report.near_duplicates);
    EXPECT_EQ(report_text(*read), text);
    EXPECT_EQ(read->verdict().outcome, Outcome::kPass);
  }
}

TEST(GateReport, AReplaySaysWhatItRepeatsAndWhatDisagreed) {
  Report report = small_report();
  report.replay = Report::Replay{crypto::sha256(as_bytes("first")), {true, 7, 0, {}}};
  const std::string agreeing = report_text(report);
  EXPECT_TRUE(agreeing.contains(R"("agrees": true)"));
  EXPECT_TRUE(report_page(report).contains("and agrees with it"));
  EXPECT_FALSE(parse_report(replaced(agreeing, R"("agrees": true)", R"("agrees": false)")));
  report.replay->found = {true, kScoreTolerance + 1, 2, {"task 1: came out otherwise", "more"}};
  const std::string text = report_text(report);
  EXPECT_TRUE(text.contains(R"("agrees": false)"));
  const auto read = parse_report(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->replay, report.replay);
  EXPECT_TRUE(report_page(*read).contains("DISAGREES"));
  report.replay->found.named.assign(kNamedMax + 1, "more");
  EXPECT_FALSE(parse_report(report_text(report)));
}

TEST(GateReport, WhatWasMeasuredTwiceIsRefused) {
  const auto is_read = [](const auto& change) {
    Report report = small_report();
    change(report.measured);
    return parse_report(report_text(report)).has_value();
  };
  EXPECT_FALSE(is_read([](Measurements& all) { all.losses.push_back(all.losses[3]); }));
  EXPECT_FALSE(is_read([](Measurements& all) { all.samples.push_back(all.samples[3]); }));
  EXPECT_FALSE(is_read([](Measurements& all) { all.triggers.push_back(all.triggers[0]); }));
  // An edit may stand against what it edits and against a row that people voted down.
  EXPECT_TRUE(is_read([](Measurements& all) { all.preferences.resize(2, all.preferences[0]); }));
  EXPECT_FALSE(is_read([](Measurements& all) { all.preferences.resize(3, all.preferences[0]); }));
}

TEST(GateReport, OneThatWasEditedIsRefused) {
  Report report = small_report();
  for (Loss& loss : report.measured.losses) loss.candidate = 2'100'000;
  const std::string text = report_text(report);
  ASSERT_TRUE(parse_report(text));
  const auto flattered =
      parse_report(replaced(text, R"("verdict": "fail")", R"("verdict": "pass")"));
  ASSERT_FALSE(flattered);
  EXPECT_EQ(flattered.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(flattered.error().message.contains("which is fail")) << flattered.error().message;
  EXPECT_FALSE(parse_report(replaced(text, "2100000", "1800000")));  // other numbers, old words
  EXPECT_FALSE(parse_report(replaced(text, "{", "{ ")));
}

TEST(GateReport, WhatIsNoneIsRefused) {
  const std::string text = report_text(small_report());
  for (const std::string& bad :
       {std::string(), std::string("{}"), text.substr(0, text.size() / 2),
        replaced(text, R"("own")", R"("ours")"), replaced(text, "2000000", "4e30"),
        replaced(text, "2000000", "9000000000000000000"), replaced(text, "\"r0\"", "7")})
    EXPECT_FALSE(parse_report(bad)) << bad.substr(0, 100);
}

TEST(GateReport, OneOfAnEarlierFormatIsNamedAsSuch) {
  const auto old =
      parse_report(replaced(report_text(small_report()), R"("format": 4)", R"("format": 3)"));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(old.error().message.contains("of format 3")) << old.error().message;
}

TEST(GateReport, MoreThanAGateMeasuresIsRefused) {
  Report report = small_report();
  for (const CanaryRank bad : {CanaryRank{0, 32}, CanaryRank{33, 32}, CanaryRank{1, 1},
                               CanaryRank{1, 33}, CanaryRank{1, UINT32_MAX}}) {
    report.measured.canaries = {bad};
    EXPECT_FALSE(parse_report(report_text(report))) << bad.rank << " of " << bad.of;
  }
  report.measured.canaries.assign(amounts_of(report.profile).canaries_max + 1, {2, 32});
  EXPECT_FALSE(parse_report(report_text(report)));
  report.measured.canaries.clear();
  report.measured.losses.resize(amounts_of(report.profile).items_max + 1);
  EXPECT_FALSE(parse_report(report_text(report)));
}

TEST(GateReport, ThePageSaysEveryRule) {
  const std::string page = report_page(small_report());
  for (const auto* part : {"# Gate: pass", "self-gated", "| gain | pass |", "| triggers | pass |",
                           "| canaries | pass |", "0.2000 nat a token likelier"})
    EXPECT_TRUE(page.contains(part)) << part << "\n" << page;
}

}  // namespace
}  // namespace loam::gate
