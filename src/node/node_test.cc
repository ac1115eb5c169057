#include "node/node.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>

#include "base/parse.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "env/file.h"
#include "env/random.h"
#include "http/client.h"
#include "node/presence.h"
#include "node/signals.h"
#include "pool/keys.h"
#include "release/channels.h"

namespace loam::node {
namespace {

class NodeTest : public ::testing::Test {
 protected:
  void SetUp() override { folders_ = *env::find_folders(home_); }
  void TearDown() override { std::filesystem::remove_all(home_); }

  NodeOptions options() {
    NodeOptions out;
    out.folders = folders_;
    out.config.listen = "127.0.0.1:0";
    out.fake_step_ms = 0;
    out.starter = [](const pool::EngineOrder& order) {
      return engine::start_fake_engine(order.options);
    };
    out.on_shutdown_request = [this] { shutdown_requests_ += 1; };
    return out;
  }
  std::unique_ptr<Node> started() {
    auto node = Node::open(options(), clock_);
    EXPECT_TRUE(node) << node.error().message;
    if (!node) return nullptr;
    EXPECT_TRUE((*node)->start());
    return *std::move(node);
  }
  http::Response ask(const Node& node, http::Method method, const std::string& path,
                     const std::string& body = "", const std::string& secret = "") {
    http::ClientRequest request;
    request.method = method;
    request.url = node.url() + path;
    request.body = body;
    if (!body.empty()) request.headers.add("content-type", "application/json");
    if (!secret.empty()) request.headers.add("authorization", "Bearer " + secret);
    const auto reply = http::fetch(request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? *reply : http::Response{};
  }
  std::string token() {
    const auto text = env::read_file(token_file(folders_), 4096);
    return text ? std::string(trim(*text)) : "";
  }

  env::Path home_ = std::filesystem::temp_directory_path() / env::random_id("loam-node-");
  env::Folders folders_;
  env::SystemClock clock_;
  std::atomic<int> shutdown_requests_ = 0;
};

TEST_F(NodeTest, AnswersAChatWithTheFakeModel) {
  const auto node = started();
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(ask(*node, http::Method::kGet, "/health").status, 200);
  const auto reply =
      ask(*node, http::Method::kPost, "/v1/chat/completions",
          R"({"model":"fake","messages":[{"role":"user","content":"Hello"}],"max_tokens":5})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  const auto value = codec::parse_json(reply.body);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value->find("object")->as_string(), "chat.completion");
  EXPECT_NE(ask(*node, http::Method::kGet, "/v1/models").body.find("\"fake\""), std::string::npos);
  node->stop(1000);
}

TEST_F(NodeTest, SaysWhereItIsWhileItRuns) {
  EXPECT_FALSE(find_running(folders_));
  auto node = started();
  ASSERT_NE(node, nullptr);
  const auto running = find_running(folders_);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->url, node->url());
  EXPECT_EQ(running->pid, ::getpid());
  node->stop(0);
  node.reset();
  EXPECT_FALSE(find_running(folders_));
}

TEST_F(NodeTest, WhatACrashLeftBehindIsNoRunningNode) {
  ASSERT_TRUE(env::make_folder(folders_.state));
  ASSERT_TRUE(env::make_folder(folders_.data));
  ASSERT_TRUE(write_presence(folders_, {"http://127.0.0.1:9", 12345, "0", 0}));
  ASSERT_TRUE(env::write_file_atomic(lock_file(folders_), "12345\n"));
  EXPECT_FALSE(find_running(folders_));
}

TEST_F(NodeTest, ASecondNodeOnOneHomeIsRefusedWithTheFirstOnesProcess) {
  const auto first = started();
  const auto second = Node::open(options(), clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(NodeTest, APortThatIsTakenIsNamed) {
  const auto first = started();
  ASSERT_NE(first, nullptr);
  NodeOptions other = options();
  other.folders = *env::find_folders(home_ / "other");
  other.config.listen = first->url().substr(std::string("http://").size());
  const auto second = Node::open(std::move(other), clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_FALSE(second.error().hint.empty());
}

TEST_F(NodeTest, OffLoopbackItStartsOnlyOnceThereIsAKey) {
  NodeOptions open = options();
  open.config.listen = "0.0.0.0:0";
  const auto refused = Node::open(open, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  {
    const auto keys = pool::KeyRing::open(folders_.data / "keys.db", token_file(folders_), clock_);
    ASSERT_TRUE(keys);
    ASSERT_TRUE((*keys)->create("test", {true, false, false}));
  }
  EXPECT_TRUE(Node::open(open, clock_));
}

TEST_F(NodeTest, BadSettingsAreRefusedBeforeAnythingIsMade) {
  NodeOptions bad = options();
  bad.config.listen = "somewhere";
  EXPECT_EQ(Node::open(bad, clock_).error().code, ErrorCode::kInvalidArgument);
  bad = options();
  bad.config.tls.certificate = "cert.pem";
  EXPECT_EQ(Node::open(bad, clock_).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(home_));
}

TEST_F(NodeTest, AHomeThatCannotBeMadeNamesTheFolderAndTheWayOut) {
  ASSERT_TRUE(env::make_folder(home_));
  ASSERT_TRUE(env::write_file_atomic(home_ / "file", "x"));
  NodeOptions bad = options();
  bad.folders = *env::find_folders(home_ / "file");
  const auto node = Node::open(bad, clock_);
  ASSERT_FALSE(node);
  EXPECT_NE(node.error().message.find((home_ / "file").string()), std::string::npos);
  EXPECT_NE(node.error().hint.find("--home"), std::string::npos);
}

TEST_F(NodeTest, WhatWasKilledIsClearedAwayAtTheStartAndWhatRunsIsNot) {
  const env::Path taken = folders_.cache / "channels" / "take-1";
  const env::Path staged = folders_.data / "publishing" / "pub-1";
  const release::ChannelBook book(folders_.data / "channels");
  for (const env::Path& folder : {taken, staged}) ASSERT_TRUE(env::make_folder(folder));
  {
    const auto take = book.lock();
    ASSERT_TRUE(take);
    EXPECT_NE(started(), nullptr);
    EXPECT_TRUE(env::stamp(taken));
    EXPECT_FALSE(env::stamp(staged));
  }
  EXPECT_NE(started(), nullptr);
  EXPECT_FALSE(env::stamp(taken));
}

TEST_F(NodeTest, AClientWithTheOwnersTokenMayAskItToStop) {
  const auto node = started();
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(ask(*node, http::Method::kPost, "/loam/v1/shutdown", "{}").status, 401);
  EXPECT_EQ(shutdown_requests_, 0);
  EXPECT_EQ(ask(*node, http::Method::kPost, "/loam/v1/shutdown", "{}", token()).status, 202);
  node->stop(1000);  // the reply comes before the deed; this waits for the handlers
  EXPECT_EQ(shutdown_requests_, 1);
}

TEST_F(NodeTest, TheTokenIsForItsOwnerOnly) {
  const auto node = started();
  const auto mode = env::permissions(token_file(folders_));
  ASSERT_TRUE(mode);
  EXPECT_EQ(*mode & 0777U, 0600U);
}

TEST(StopSignals, ASignalEndsTheWaitAndNoneIsATimeout) {
  StopSignals signals;
  EXPECT_EQ(signals.wait(1), 0);
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(signals.wait(10'000), SIGTERM);
  ::kill(::getpid(), SIGHUP);
  EXPECT_EQ(signals.wait(1), 0);
}

}  // namespace
}  // namespace loam::node
