// What anybody may read: /blob/, and what the public listener lets through.
#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::Reply;

class PublicTest : public testing::NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    const env::Path file = folder_ / "proof";
    ASSERT_TRUE(env::write_file_atomic(file, "0123456789"));
    hash_ = crypto::digest_hex(blobs_->add(file).value());
  }
  Reply blob(const http::Headers& headers, http::Method method = http::Method::kGet) {
    http::Request request = http::test_request(method, "/blob/" + hash_);
    for (const auto& [name, value] : headers.all()) request.headers.add(name, value);
    return send(std::move(request));
  }
  Reply range(const std::string& bytes, const std::string& only_if = {}) {
    http::Headers headers;
    headers.add("Range", bytes);
    if (!only_if.empty()) headers.add("If-Range", only_if);
    return blob(headers);
  }
  std::string tag() const { return "\"" + hash_ + "\""; }
  /// As a stranger asks on the public listener.
  Reply ask_in_public(http::Method method, std::string_view target) {
    http::Request request = http::test_request(method, target);
    request.headers.set("host", "mirror.example");
    request.headers.add("Authorization", "Bearer " + owner_);  // opens nothing there
    const auto exchange = std::make_shared<http::TestExchange>(std::move(request));
    const auto answer = exchange->answer();
    app_->handle_public(exchange);
    const auto seen = answer->wait();
    return {seen.status, seen.headers, seen.body, {}};
  }

  std::string hash_;
};

TEST_F(PublicTest, AFileComesByItsHashAndMayBeKeptForEver) {
  const Reply reply = blob({});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "0123456789");
  EXPECT_EQ(reply.header("etag"), tag());
  EXPECT_TRUE(reply.header("cache-control").contains("immutable"));
  EXPECT_EQ(reply.header("accept-ranges"), "bytes");
  EXPECT_EQ(reply.header("content-type"), "application/octet-stream");
  EXPECT_EQ(reply.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(reply.header("access-control-allow-origin"), "*");
}

TEST_F(PublicTest, APartOfAFileComesAlone) {
  Reply reply = range("bytes=2-4");
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(reply.body, "234");
  EXPECT_EQ(reply.header("content-range"), "bytes 2-4/10");
  reply = range("bytes=-3");
  EXPECT_EQ(reply.body, "789");
  EXPECT_EQ(reply.header("content-range"), "bytes 7-9/10");
  reply = range("bytes=10-");
  EXPECT_EQ(reply.status, 416);
  EXPECT_EQ(reply.header("content-range"), "bytes */10");
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(range("bytes=0-1,4-5").status, 200);
}

TEST_F(PublicTest, APartOfAnotherVersionBecomesTheWhole) {
  EXPECT_EQ(range("bytes=2-4", tag()).status, 206);
  EXPECT_EQ(range("bytes=2-4", "\"another\"").body, "0123456789");
  EXPECT_EQ(range("bytes=2-4", "W/" + tag()).status, 200);
  EXPECT_EQ(range("bytes=2-4", "Mon, 23 Nov 2026 04:00:00 GMT").status, 200);
}

TEST_F(PublicTest, WhoHasAFileIsNotSentItAgain) {
  http::Headers headers;
  headers.add("If-None-Match", "\"x\", W/" + tag());
  const Reply reply = blob(headers);
  EXPECT_EQ(reply.status, 304);
  EXPECT_EQ(reply.header("etag"), tag());
  EXPECT_EQ(reply.body, "");
  http::Headers other;
  other.add("If-None-Match", "\"x\"");
  EXPECT_EQ(blob(other).status, 200);
}

TEST_F(PublicTest, OnlyWhatWasMadePublicIsServed) {
  const auto model = catalog_->find("tiny").value();
  const std::string none(64, '0');
  std::string upper = hash_;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  for (const std::string& name :
       {crypto::digest_hex(model.sha256), none, upper, hash_.substr(1), hash_ + "0",
        std::string("..%2fcatalog.db"), std::string("new-1")}) {
    if (name == hash_) continue;  // a hash without letters has one spelling
    EXPECT_EQ(get("/blob/" + name).status, 404) << name;
  }
}

TEST_F(PublicTest, ADamagedFileIsNotGivenOutAndStrangersLearnNoPath) {
  ASSERT_TRUE(env::write_file_atomic(folder_ / "public" / hash_, "0123456780"));
  const Reply reply = ask_in_public(http::Method::kGet, "/blob/" + hash_);
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find(folder_.string()), std::string::npos) << reply.body;
}

TEST_F(PublicTest, OfALogThatCannotBeReadStrangersLearnNoPath) {
  ASSERT_TRUE(env::make_folder(folder_ / "log" / "checkpoint"));  // in place of the file
  const Reply reply = ask_in_public(http::Method::kGet, "/log/checkpoint");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find(folder_.string()), std::string::npos) << reply.body;
}

TEST_F(PublicTest, StrangersReadTheLogPublicFilesAndHealthAndNothingElse) {
  const Reply health = ask_in_public(http::Method::kGet, "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, R"({"status":"ok"})");
  EXPECT_EQ(ask_in_public(http::Method::kGet, "/blob/" + hash_).body, "0123456789");
  EXPECT_EQ(ask_in_public(http::Method::kHead, "/blob/" + hash_).status, 200);
  EXPECT_EQ(ask_in_public(http::Method::kHead, "/health").status, 200);
  EXPECT_EQ(ask_in_public(http::Method::kGet, "/log/checkpoint").status, 404);  // none yet
  for (const char* target :
       {"/", "/version", "/metrics", "/v1/models", "/loam/v1/status", "/loam/v1/consent",
        "/loam/v1/share", "/log", "/blob", "/health/x", "/logs/checkpoint", "/blob/../v1/models"})
    EXPECT_EQ(ask_in_public(http::Method::kGet, target).status, 404) << target;
  for (const http::Method method : {http::Method::kPost, http::Method::kPut, http::Method::kDelete,
                                    http::Method::kOptions, http::Method::kOther})
    for (const std::string& target :
         {std::string("/health"), "/blob/" + hash_, std::string("/v1/chat/completions")})
      EXPECT_EQ(ask_in_public(method, target).status, 404) << target;
}

TEST_F(PublicTest, StrangersSeeThatANodeStops) {
  app_->begin_stopping();
  EXPECT_EQ(ask_in_public(http::Method::kGet, "/health").status, 503);
}

}  // namespace
}  // namespace loam::api
