#include "http/router.h"

#include <gtest/gtest.h>

namespace loam::http {
namespace {

class RouterTest : public testing::Test {
 protected:
  void add(Method method, std::string_view pattern) {
    router_.add(method, pattern, [](const ExchangePtr&) {});
  }
  Router router_;
};

using Params = std::vector<std::string>;

TEST_F(RouterTest, MatchesSegmentsAndCapturesPlaceholders) {
  add(Method::kGet, "/");
  add(Method::kGet, "/v1/files/{id}");
  add(Method::kGet, "/v1/files/{id}/content");
  add(Method::kGet, "/v1/models/{id...}");
  EXPECT_EQ(router_.find(Method::kGet, "/").pattern, "/");
  EXPECT_EQ(router_.find(Method::kGet, "/v1/files/x").params, Params{"x"});
  EXPECT_EQ(router_.find(Method::kGet, "/v1/files/x/content").pattern, "/v1/files/{id}/content");
  EXPECT_EQ(router_.find(Method::kGet, "/v1/models/a/b:c").params, Params{"a/b:c"});
}

TEST_F(RouterTest, FindsNothingForPathsThatNearlyFit) {
  add(Method::kGet, "/v1/files/{id}");
  add(Method::kGet, "/v1/models/{id...}");
  for (const char* path : {"", "/", "v1/files/x", "/v1/files", "/v1/files/", "/v1/files/x/",
                           "/v1/files/x/y", "/v1/models", "/v1/models/", "//v1/files/x"}) {
    const auto match = router_.find(Method::kGet, path);
    EXPECT_EQ(match.handler, nullptr) << path;
    EXPECT_EQ(match.allow, "") << path;
  }
}

TEST_F(RouterTest, PrefersTheMoreExactPattern) {
  add(Method::kGet, "/m/{id...}");
  add(Method::kGet, "/m/{id}");
  add(Method::kGet, "/m/{id}/x");
  add(Method::kGet, "/m/all");
  EXPECT_EQ(router_.find(Method::kGet, "/m/all").pattern, "/m/all");
  EXPECT_EQ(router_.find(Method::kGet, "/m/one").pattern, "/m/{id}");
  EXPECT_EQ(router_.find(Method::kGet, "/m/all/x").pattern, "/m/{id}/x");
  EXPECT_EQ(router_.find(Method::kGet, "/m/all/y").pattern, "/m/{id...}");
}

TEST_F(RouterTest, NamesTheMethodsThatAPathHas) {
  add(Method::kGet, "/a");
  add(Method::kPost, "/a");
  add(Method::kDelete, "/{any}");
  const auto match = router_.find(Method::kPut, "/a");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allow, "DELETE, GET, HEAD, POST");
  EXPECT_EQ(match.pattern, "/a");
  EXPECT_NE(router_.find(Method::kDelete, "/a").handler, nullptr);
}

TEST_F(RouterTest, ServesHeadByGet) {
  add(Method::kGet, "/a/{id}");
  const auto match = router_.find(Method::kHead, "/a/1");
  EXPECT_NE(match.handler, nullptr);
  EXPECT_EQ(match.params, Params{"1"});
}

}  // namespace
}  // namespace loam::http
