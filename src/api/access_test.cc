#include "api/access.h"

#include "api/testing/test_node.h"

namespace loam::api {
namespace {

http::Request from_host(const std::string& host) {
  http::Request request = http::test_request(http::Method::kGet, "/v1/models");
  request.headers.set("host", host);
  return request;
}

http::Request from_page(const std::string& origin) {
  http::Request request = from_host("127.0.0.1:5626");
  request.headers.set("origin", origin);
  return request;
}

TEST(Access, TakesLoopbackNamesAsHost) {
  const AccessRules rules;
  for (const char* host : {"127.0.0.1", "127.0.0.1:5626", "localhost:80", "LOCALHOST", "[::1]:5626",
                           "[::1]", "127.8.9.1:1"})
    EXPECT_TRUE(check_source(from_host(host), rules).has_value()) << host;
}

TEST(Access, RefusesForeignHostNames) {
  const AccessRules rules;
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.256",
        "127.1", "[::1]evil", "[::1", "", "10.0.0.1:5626", "127.0.0.1:x", "localhost:"}) {
    const auto done = check_source(from_host(host), rules);
    ASSERT_FALSE(done.has_value()) << host;
    EXPECT_EQ(done.error().status, 403);
    EXPECT_EQ(done.error().code, "host_not_allowed");
  }
}

TEST(Access, TakesConfiguredHosts) {
  AccessRules rules;
  rules.allowed_hosts = {"Loam.Example"};
  EXPECT_TRUE(check_source(from_host("loam.example:5626"), rules).has_value());
  EXPECT_FALSE(check_source(from_host("x.loam.example"), rules).has_value());
}

TEST(Access, RefusesPagesOfOtherSites) {
  AccessRules rules;
  EXPECT_TRUE(check_source(from_page("http://127.0.0.1:5626"), rules).has_value());
  for (const char* origin : {"null", "http://127.0.0.1:3000", "https://evil.example",
                             "http://localhost:5626", "http://127.0.0.1:5626.evil.example"})
    EXPECT_EQ(check_source(from_page(origin), rules).error().code, "origin_not_allowed") << origin;
  rules.allowed_origins = {"https://mine.example"};
  EXPECT_TRUE(check_source(from_page("https://mine.example"), rules).has_value());
  EXPECT_FALSE(check_source(from_page("https://mine.example.evil"), rules).has_value());
  rules.allowed_origins = {"*"};
  EXPECT_TRUE(check_source(from_page("https://any.example"), rules).has_value());
}

TEST(Access, ForwardedRequestsAreNotLocal) {
  const AccessRules rules;
  http::Request request = from_host("127.0.0.1");
  EXPECT_TRUE(is_local(request, rules));
  request.headers.add("X-Forwarded-For", "10.1.2.3");
  EXPECT_FALSE(is_local(request, rules));
}

class AccessTest : public testing::NodeTest {
 protected:
  ApiResult<pool::Caller> check(const std::string& header, const std::string& value, Need need,
                                bool on_loopback) {
    http::Request request = from_host("127.0.0.1");
    request.peer_is_loopback = on_loopback;
    if (!header.empty()) request.headers.add(header, value);
    AccessRules rules;
    rules.listens_on_loopback = on_loopback;
    return check_caller(request, rules, *keys_, need);
  }
};

TEST_F(AccessTest, InferenceOnLoopbackNeedsNoKeyAndTakesAny) {
  EXPECT_EQ(check("", "", Need::kInfer, true).value().id, "local");
  EXPECT_EQ(check("Authorization", "Bearer sk-whatever", Need::kInfer, true).value().id, "local");
  EXPECT_EQ(check("Authorization", "Basic abc", Need::kInfer, true).value().id, "local");
}

TEST_F(AccessTest, ARealKeyNamesItsCallerByEitherHeader) {
  const std::string key = new_key({.infer = true});
  const std::string id = check("Authorization", "bearer " + key, Need::kInfer, true).value().id;
  EXPECT_TRUE(id.starts_with("key_"));
  EXPECT_EQ(check("x-api-key", key, Need::kInfer, false).value().id, id);
  EXPECT_EQ(check("Authorization", "Bearer " + owner_, Need::kAdmin, false).value().id, "owner");
}

TEST_F(AccessTest, AKeyWithoutTheScopeIsRefused) {
  const std::string key = new_key({.publish = true});
  EXPECT_EQ(check("x-api-key", key, Need::kInfer, true).error().status, 403);
  EXPECT_EQ(check("x-api-key", key, Need::kAdmin, true).error().code, "missing_scope");
  EXPECT_TRUE(check("x-api-key", key, Need::kIdentity, true).has_value());
}

TEST_F(AccessTest, OffLoopbackAKeyIsNeeded) {
  EXPECT_EQ(check("", "", Need::kInfer, false).error().status, 401);
  EXPECT_EQ(check("x-api-key", "sk-whatever", Need::kInfer, false).error().code, "invalid_api_key");
  EXPECT_EQ(check("Authorization", "Basic abc", Need::kInfer, false).error().status, 401);
  EXPECT_TRUE(check("", "", Need::kNothing, false).has_value());
}

TEST_F(AccessTest, ChangesAndPrivateAnswersNeedASecretOnLoopbackToo) {
  EXPECT_EQ(check("", "", Need::kAdmin, true).error().status, 401);
  EXPECT_EQ(check("", "", Need::kIdentity, true).error().status, 401);
  EXPECT_EQ(check("x-api-key", "guess", Need::kAdmin, true).error().status, 401);
  EXPECT_EQ(check("x-api-key", new_key({.infer = true}), Need::kAdmin, true).error().status, 403);
  EXPECT_TRUE(check("x-api-key", new_key({.admin = true}), Need::kAdmin, true).has_value());
}

}  // namespace
}  // namespace loam::api
