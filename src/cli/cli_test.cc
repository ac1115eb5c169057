// Parsing, help, exit codes, tables, the SSE reader.
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/sse.h"
#include "cli/table.h"

namespace loam::cli {
namespace {

struct Options {
  std::optional<std::string> model;
  std::vector<std::string> words;
  std::vector<std::string> stop;
  std::optional<std::int64_t> seed;
  std::optional<double> temperature;
  bool verbose = false;
  bool json = false;
};

class CommandLineTest : public ::testing::Test {
 protected:
  Result<Parsed> parse(const std::vector<std::string>& arguments) {
    options_ = {};
    return parse_command_line(root_, arguments);
  }

  Options options_;
  Verb root_{.name = "loam",
             .summary = "Open ground",
             .examples = {"loam run m"},
             .arguments = {{"--json", "", &options_.json, "JSON"}},
             .verbs = {{.name = "run",
                        .group = "Answers",
                        .summary = "Answers a prompt",
                        .examples = {"loam run smollm2 \"Why?\""},
                        .arguments = {{"MODEL", "", &options_.model, "model", true},
                                      {"PROMPT", "", &options_.words, "prompt"},
                                      {"--seed", "N", &options_.seed, "seed"},
                                      {"--temperature", "T", &options_.temperature, "heat"},
                                      {"--stop", "TEXT", &options_.stop, "stop"},
                                      {"-v,--verbose", "", &options_.verbose, "more"}},
                        .run = [](Invocation&) -> Result<int> { return 0; }},
                       {.name = "key",
                        .summary = "Keys",
                        .verbs = {{.name = "new",
                                   .summary = "Makes one",
                                   .arguments = {{"LABEL", "", &options_.model, "label"}},
                                   .run = [](Invocation&) -> Result<int> { return 0; }}}}}};
};

TEST_F(CommandLineTest, FillsPositionalsOptionsAndFlags) {
  const auto parsed = parse({"run", "smollm2", "Why", "is", "--seed", "-7", "it", "--temperature",
                             "0.25", "-v", "--stop", "a", "--stop", "b", "so"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->path, "loam run");
  EXPECT_EQ(options_.model, "smollm2");
  EXPECT_EQ(options_.words, (std::vector<std::string>{"Why", "is", "it", "so"}));
  EXPECT_EQ(options_.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options_.seed, -7);
  EXPECT_EQ(options_.temperature, 0.25);
  EXPECT_TRUE(options_.verbose);
}

TEST_F(CommandLineTest, APromptMayHoldWordsThatAreVerbsAndADashForStdin) {
  ASSERT_TRUE(parse({"run", "key", "run", "new", "-"}));
  EXPECT_EQ(options_.model, "key");
  EXPECT_EQ(options_.words, (std::vector<std::string>{"run", "new", "-"}));
}

TEST_F(CommandLineTest, AnOptionalWordMayBeThereOrNot) {
  ASSERT_TRUE(parse({"key", "new"}));
  EXPECT_FALSE(options_.model);
  ASSERT_TRUE(parse({"key", "new", "forum"}));
  EXPECT_EQ(options_.model, "forum");
}

TEST_F(CommandLineTest, WordsBehindTwoDashesAreNoOptions) {
  ASSERT_TRUE(parse({"run", "m", "--", "--seed"}));
  EXPECT_EQ(options_.words, (std::vector<std::string>{"--seed"}));
}

TEST_F(CommandLineTest, OptionsOfTheProgramStandBeforeOrBehindTheVerb) {
  ASSERT_TRUE(parse({"--json", "run", "m"}));
  EXPECT_TRUE(options_.json);
  ASSERT_TRUE(parse({"run", "m", "--json"}));
  EXPECT_TRUE(options_.json);
  ASSERT_TRUE(parse({"run", "m"}));
  EXPECT_FALSE(options_.json);
}

TEST_F(CommandLineTest, AMistypedVerbOrOptionIsNamedWithTheNearest) {
  auto parsed = parse({"rnu", "m"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parsed.error().message, "no verb rnu");
  EXPECT_EQ(parsed.error().hint, "did you mean run?");
  parsed = parse({"run", "m", "--sed=5"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "run: no option --sed=5");
  EXPECT_EQ(parsed.error().hint, "did you mean --seed?");
  EXPECT_FALSE(parse({"key", "nwe"}));
  EXPECT_FALSE(parse({"key", "new", "x", "y"}));
}

TEST_F(CommandLineTest, AMissingArgumentAndAWrongNumberAreUsageErrors) {
  EXPECT_FALSE(parse({"run"}));
  EXPECT_FALSE(parse({"run", "m", "--seed", "x"}));
  EXPECT_FALSE(parse({"run", "m", "--seed", "1.5"}));
  EXPECT_FALSE(parse({"run", "m", "--temperature", "hot"}));
  EXPECT_FALSE(parse({"run", "m", "--seed"}));
  EXPECT_FALSE(parse({"run", "m", "--seed", "1", "--seed", "2"}));
}

TEST_F(CommandLineTest, HelpIsAskedForWithoutTheRequiredArguments) {
  const auto parsed = parse({"run", "--help"});
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->help);
  EXPECT_EQ(parsed->verb->name, "run");
  const std::string text = help_text(*parsed->verb, parsed->path);
  EXPECT_TRUE(text.starts_with("loam run MODEL [PROMPT...] [OPTION...]\n")) << text;
  EXPECT_NE(text.find("loam run smollm2 \"Why?\""), std::string::npos);
  EXPECT_NE(text.find("-v, --verbose"), std::string::npos);
  EXPECT_NE(overview_text(root_).find("Answers:\n  run "), std::string::npos);
}

TEST(ExitCodes, EveryErrorHasItsOwn) {
  EXPECT_EQ(exit_code_of(ErrorCode::kInvalidArgument), ExitCode::kUsage);
  EXPECT_EQ(exit_code_of(ErrorCode::kNotFound), ExitCode::kNotFound);
  EXPECT_EQ(exit_code_of(ErrorCode::kUnavailable), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code_of(ErrorCode::kPermissionDenied), ExitCode::kRefused);
  EXPECT_EQ(exit_code_of(ErrorCode::kCorrupt), ExitCode::kVerification);
  EXPECT_EQ(exit_code_of(ErrorCode::kDeadlineExceeded), ExitCode::kTimeout);
  EXPECT_EQ(exit_code_of(ErrorCode::kCancelled), ExitCode::kInterrupted);
  for (const auto code : {ErrorCode::kAlreadyExists, ErrorCode::kResourceExhausted,
                          ErrorCode::kUnsupported, ErrorCode::kInternal})
    EXPECT_EQ(exit_code_of(code), ExitCode::kFailed);
  EXPECT_NE(exit_codes_text().find("130  interrupted"), std::string::npos);
}

TEST(Sse, EventsComeOutWholeHoweverTheBytesArrive) {
  const std::string stream =
      ": keep-alive\n\ndata: {\"a\":1}\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\nid: 5\n\n"
      "database: no\n\ndata\n\ndata: [DONE]\n\ndata: unfinished\n";
  const std::vector<std::string> expected{"{\"a\":1}", "two\nlines", "", "[DONE]"};
  EXPECT_EQ(SseParser().feed(stream), expected);
  SseParser parser;
  std::vector<std::string> events;
  for (const char c : stream)
    for (auto& event : parser.feed(std::string(1, c))) events.push_back(std::move(event));
  EXPECT_EQ(events, expected);
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(format_table({"NAME", "SIZE"}, {{"smollm2", "98 MB"}, {"ü", ""}}),
            "NAME     SIZE\nsmollm2  98 MB\nü\n");
  EXPECT_EQ(format_table({"A"}, {}), "A\n");
}

TEST(Table, TimesAreWrittenAsPeopleSayThem) {
  EXPECT_EQ(relative_time(1'000, 1'500), "just now");
  EXPECT_EQ(relative_time(0, 61'000), "1 minute ago");
  EXPECT_EQ(relative_time(0, 7'200'000), "2 hours ago");
  EXPECT_EQ(relative_time(90'000, 0), "in 1 minute");
  EXPECT_EQ(relative_time(0, 259'200'000), "3 days ago");
  EXPECT_EQ(time_text(1'795'407'013'250), "2026-11-23T04:10:13Z");
  EXPECT_EQ(short_duration(11.2), "12s");
  EXPECT_EQ(short_duration(65), "1m05s");
  EXPECT_EQ(short_duration(3700), "1h01m");
}

TEST(Table, LongTextIsBrokenAtSpaces) {
  EXPECT_EQ(wrap("one two three", 9, 2), "  one two\n  three\n");
  EXPECT_EQ(wrap("a\n\nb", 9, 0), "a\n\nb\n");
}

}  // namespace
}  // namespace loam::cli
