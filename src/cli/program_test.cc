// Whole calls of the program that need no node, and what is made of a node's replies.
#include "cli/program.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/node_client.h"
#include "cli/share.h"
#include "cli/verbs.h"
#include "codec/json.h"
#include "crypto/note.h"
#include "env/random.h"

namespace loam::cli {
namespace {

class ProgramTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(home_); }

  int run(std::vector<std::string> arguments) {
    out_.clear();
    err_.clear();
    arguments.insert(arguments.end(), {"--home", home_.string()});
    Console console(
        {}, [this](std::string_view text) { return append(out_, text); },
        [this](std::string_view text) { return append(err_, text); });
    return run_program(arguments, console, clock_);
  }
  static bool append(std::string& to, std::string_view text) {
    to += text;
    return true;
  }
  /// An address on which nothing listens: the port of nobody.
  std::vector<std::string> to_nobody(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--url", "http://127.0.0.1:1"});
    return arguments;
  }

  env::Path home_ = std::filesystem::temp_directory_path() / env::random_id("loam-program-");
  env::SystemClock clock_;
  std::string out_, err_;
};

TEST_F(ProgramTest, EveryVerbExplainsItselfWithAnExample) {
  Globals globals;
  const Verb root = make_root(globals);
  std::vector<std::pair<const Verb*, std::vector<std::string>>> verbs;
  for (const auto& verb : root.verbs) {
    verbs.push_back({&verb, {verb.name}});
    for (const auto& inner : verb.verbs) verbs.push_back({&inner, {verb.name, inner.name}});
  }
  EXPECT_GT(verbs.size(), 25U);
  for (auto& [verb, words] : verbs) {
    words.emplace_back("--help");
    EXPECT_EQ(run(words), 0);
    EXPECT_NE(out_.find("Examples:\n  "), std::string::npos) << verb->name;
    EXPECT_TRUE(err_.empty()) << err_;
  }
}

TEST_F(ProgramTest, TheOverviewListsTheVerbsAndHidesWhatIsForTests) {
  EXPECT_EQ(run({}), 0);
  for (const char* name : {"serve", "run", "chat", "pull", "doctor", "completion"})
    EXPECT_NE(out_.find(format("\n  {} ", name)), std::string::npos) << name;
  EXPECT_EQ(run({"serve", "--help"}), 0);
  EXPECT_EQ(out_.find("--fake-engine"), std::string::npos);
}

TEST_F(ProgramTest, ExitCodesFollowWhatWentWrong) {
  EXPECT_EQ(run({"bogus"}), 2);
  EXPECT_EQ(run({"run"}), 2);
  EXPECT_EQ(run({"key"}), 2);
  EXPECT_EQ(run({"config", "get", "load.contxt"}), 3);
  EXPECT_EQ(run({"serve", "--set", "load.context=x"}), 2);
  EXPECT_EQ(run({"status", "--url", "ftp://x"}), 2);
  EXPECT_EQ(run(to_nobody({"ls"})), 4);
  EXPECT_EQ(run(to_nobody({"status"})), 4);
  EXPECT_EQ(run({"down"}), 0);
  EXPECT_EQ(run({"completion", "tcsh"}), 2);
}

TEST_F(ProgramTest, AnErrorSaysWhatAndWhatToDoOnStderr) {
  EXPECT_EQ(run({"rnu"}), 2);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(err_, "loam: no verb rnu\n  did you mean run?\n");
}

TEST_F(ProgramTest, WithJsonAnErrorIsOneObject) {
  EXPECT_EQ(run({"config", "get", "load.contxt", "--json"}), 3);
  EXPECT_TRUE(out_.empty());
  const auto value = codec::parse_json(err_);
  ASSERT_TRUE(value) << err_;
  const auto* error = value->find("error");
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(text_at(*error, "code"), "not_found");
  EXPECT_EQ(text_at(*error, "hint"), "did you mean load.context?");
  EXPECT_EQ(run({"bogus", "--json"}), 2);
  EXPECT_TRUE(codec::parse_json(err_)) << err_;
}

TEST_F(ProgramTest, ASettingThatIsSetCanBeReadAndIsShownWithItsOrigin) {
  EXPECT_EQ(run({"config", "set", "load.context", "8192"}), 0) << err_;
  EXPECT_EQ(run({"config", "get", "load.context"}), 0);
  EXPECT_EQ(out_, "8192\n");
  EXPECT_EQ(run({"config", "--json"}), 0);
  EXPECT_NE(out_.find((home_ / "config" / "config.toml").string() + ":1"), std::string::npos);
  EXPECT_EQ(run({"config", "set", "load.context", "many"}), 2);
  EXPECT_EQ(run({"config", "path"}), 0);
  EXPECT_NE(out_.find(home_.string()), std::string::npos);
}

TEST_F(ProgramTest, AResultThatCannotBeWrittenIsAFailure) {
  Console console(
      {}, [](std::string_view) { return false; }, [](std::string_view) { return true; });
  EXPECT_NE(run_program({"version"}, console, clock_), 0);
}

TEST_F(ProgramTest, TheReportForABugHoldsNoSecretAndNoHostName) {
  EXPECT_EQ(run({"env", "--set", "allow.hosts=secret.example", "--set", "listen=10.9.8.7:1"}), 0);
  EXPECT_NE(out_.find("allow.hosts"), std::string::npos);
  EXPECT_EQ(out_.find("secret.example"), std::string::npos);
  EXPECT_EQ(out_.find("10.9.8.7"), std::string::npos);
}

TEST_F(ProgramTest, CompletionsKnowEveryVerbAndOption) {
  Globals globals;
  const Verb root = make_root(globals);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(root, shell);
    ASSERT_TRUE(script);
    for (const auto& verb : root.verbs)
      EXPECT_NE(script->find(verb.name), std::string::npos) << shell << " " << verb.name;
    EXPECT_NE(script->find("temperature"), std::string::npos);
    EXPECT_EQ(script->find("fake-engine"), std::string::npos);
  }
  EXPECT_FALSE(completion_script(root, "csh"));
}

TEST_F(ProgramTest, AnOfflineNodeReadsNoLogOverTheNetwork) {
  const auto key = crypto::SigningKey::from_seed({});
  const auto verifier = crypto::VerifierKey::of("loam/x", key.public_key()).text();
  for (const char* verb : {"build", "verify"}) {
    std::vector<std::string> arguments = {"data",  verb,     "--from", "http://127.0.0.1:1/log",
                                          "--key", verifier, "--set",  "offline=true"};
    if (verb == std::string_view("build"))
      arguments.insert(arguments.end(), {"--out", (home_ / "set").string()});
    else
      arguments.insert(arguments.begin() + 2, (home_ / "set").string());
    EXPECT_EQ(run(arguments), static_cast<int>(exit_code_of(ErrorCode::kPermissionDenied))) << err_;
    EXPECT_NE(err_.find("offline"), std::string::npos) << err_;
  }
}

TEST(NodeReplies, AnErrorReplyBecomesTheErrorThatItMeans) {
  EXPECT_EQ(error_of_reply(404, R"({"error":{"message":"m","code":"model_not_found"}})").code,
            ErrorCode::kNotFound);
  EXPECT_EQ(error_of_reply(500, R"({"error":{"message":"m","code":"corrupt"}})").code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(error_of_reply(400, R"({"error":{"message":"m","code":null}})").message, "m");
  EXPECT_EQ(error_of_reply(400, R"({"error":"old style"})").message, "old style");
  EXPECT_EQ(error_of_reply(403, "").code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(error_of_reply(503, "<html>").code, ErrorCode::kUnavailable);
  EXPECT_EQ(error_of_reply(503, "<html>").message, "the node answered with status 503");
  EXPECT_FALSE(error_of_reply(401, "").hint.empty());
}

TEST(NodeReplies, APreviewShowsEveryFieldOfTheHeader) {
  const auto preview = codec::parse_json(R"({"header": {"kind": "edit", "net": "c4d0",
    "log_key_hash": "a key", "body_bytes_max": 4096, "refs": ["loam1x"], "licence": "CC0-1.0",
    "scope": ["train", "eval"], "consent": "some words", "models": ["a model", "an adapter"]},
    "set_when_published": ["seq", "body_commitment"], "body": {"replayable": true}})");
  ASSERT_TRUE(preview) << preview.error().message;
  const std::string text = preview_text(*preview);
  for (const char* shown :
       {"  kind edit\n", "  net c4d0\n", "a key\n", " 4096\n", "loam1x", "CC0-1.0", "train, eval",
        "some words", "a model, an adapter", "set when published: seq, body_commitment", "tokens"})
    EXPECT_TRUE(text.contains(shown)) << shown << "\n" << text;
}

TEST(NodeReplies, TimesAreReadAndAnythingElseIsZero) {
  EXPECT_EQ(parse_time_ms("1970-01-02T00:00:01Z"), 86'401'000);
  EXPECT_EQ(parse_time_ms("2026-11-23T04:10:13.250Z"), 1'795'407'013'000);
  for (const char* bad : {"", "soon", "2026-13-45T99:99:99Z", "2026-11-23 04:10:13 "})
    EXPECT_EQ(parse_time_ms(bad), 0) << bad;
}

TEST(Console, WhatATerminalWouldObeyIsMadeVisible) {
  EXPECT_EQ(printable("a\x1b[2Jb\tc\nd\x07"), "a\\x1b[2Jb\tc\nd\\x07");
  EXPECT_EQ(printable("a\u009b2Jb\u0080\u007f"), "a\\xc2\\x9b2Jb\\xc2\\x80\\x7f");
  EXPECT_EQ(printable("txt\u202Eexe \u2066x\u2069"),
            "txt\\xe2\\x80\\xaeexe \\xe2\\x81\\xa6x\\xe2\\x81\\xa9");
  EXPECT_EQ(printable("é \u00a0 \u2029\u202f\u2065\u206a € \xE2\x80"),
            "é \u00a0 \u2029\u202f\u2065\u206a € \xE2\x80");
}

TEST(Console, NotesAndProgressAreForTerminalsOnly) {
  std::string err;
  const auto sink = [&](std::string_view text) {
    err += text;
    return true;
  };
  Console piped({}, sink, sink);
  piped.note("n");
  piped.progress("p");
  EXPECT_TRUE(err.empty());
  ConsoleOptions options;
  options.err_is_terminal = true;
  Console terminal(options, sink, sink);
  terminal.progress("50%");
  terminal.note("n");
  EXPECT_EQ(err, "\r\x1b[K50%\r\x1b[Kn\n");
}

TEST(Console, WithoutATerminalAQuestionIsARefusalUnlessYesWasSaid) {
  const auto sink = [](std::string_view) { return true; };
  Console piped({}, sink, sink);
  EXPECT_EQ(piped.ask("really?").error().code, ErrorCode::kPermissionDenied);
  ConsoleOptions options;
  options.yes = true;
  EXPECT_TRUE(*Console(options, sink, sink).ask("really?"));
}

}  // namespace
}  // namespace loam::cli
