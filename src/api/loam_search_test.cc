// GET /loam/v1/search over a log with records.
#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::text_of;

class SearchRouteTest : public testing::NodeTest {
 protected:
  std::string share(std::string_view text) {
    commons::ShareRequest request;
    request.conversation.messages = {{"user", std::string(text), ledger::Origin::kHuman},
                                     {"assistant", "So it is.", ledger::Origin::kModel}};
    request.conversation.model_name = "tiny";
    request.models = {crypto::sha256(as_bytes("tiny"))};
    request.licence = "CC-BY-4.0";
    request.scope = {.train = true, .eval = true};
    const auto shared = sharing_->share(request, commons::When::kNow);
    EXPECT_TRUE(shared) << shared.error().message;
    return to_text(*shared->record);
  }
};

TEST_F(SearchRouteTest, GivesHitsWithWhatSurroundsThem) {
  const std::string id = share("Why is the evening sky red over the lighthouse?");
  share("What is a boat?");
  const auto reply = get("/loam/v1/search?q=lighthouse");
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_EQ(items(at(reply.json, "hits")).size(), 1U);
  const codec::Value hit = at(reply.json, "hits", 0);
  EXPECT_EQ(text_of(at(hit, "id")), id);
  EXPECT_EQ(text_of(at(hit, "model")), "tiny");
  EXPECT_EQ(text_of(at(hit, "log")), log_->verifier_key().name);
  EXPECT_EQ(text_of(at(hit, "snippet", 1, "text")), "lighthouse");
  EXPECT_EQ(at(hit, "snippet", 1, "hit"), codec::Value(true));
  EXPECT_EQ(at(reply.json, "next"), codec::Value());
  EXPECT_EQ(at(reply.json, "rebuilding"), codec::Value(false));
}

TEST_F(SearchRouteTest, PagesAndFiltersAreParameters) {
  for (int i = 0; i < 3; ++i) share("tea");
  EXPECT_EQ(at(get("/loam/v1/search?q=tea&limit=2").json, "next"), codec::Value(2));
  EXPECT_EQ(items(at(get("/loam/v1/search?q=tea&limit=2&offset=2").json, "hits")).size(), 1U);
  const auto count = [&](const std::string& parameters) {
    return items(at(get("/loam/v1/search?" + parameters).json, "hits")).size();
  };
  EXPECT_EQ(count("model=tiny&kind=data&rating=none"), 3U);
  EXPECT_EQ(count("author=" + to_hex(log_->author())), 3U);
  EXPECT_EQ(count("until=2001-01-01"), 0U);
  EXPECT_EQ(count("since=2001-01-01&until=2999-12-31T23:59:59Z"), 3U);
  EXPECT_EQ(count("lang=xx"), 0U);
}

TEST_F(SearchRouteTest, WhatIsWrongIsNamed) {
  for (const auto& [query, param] : {std::pair{"q=%22open", "q"},
                                     {"q=-x", "q"},
                                     {"kind=vote", "kind"},
                                     {"rating=good", "rating"},
                                     {"since=yesterday", "since"},
                                     {"until=2026-02-30", "until"},
                                     {"until=2026-02-20T24:00:00Z", "until"},
                                     {"author=abc", "author"},
                                     {"limit=0", "limit"},
                                     {"offset=-1", "offset"}}) {
    const auto reply = get(std::string("/loam/v1/search?") + query);
    EXPECT_EQ(reply.status, 400) << query;
    EXPECT_EQ(reply.error("param"), param) << query;
  }
  EXPECT_NE(get("/loam/v1/search?q=sky+%22open").error("message").find("column 5"),
            std::string::npos);
  EXPECT_EQ(get("/loam/v1/search?q=" + std::string(1U << 20U, 'x')).status, 400);
}

TEST_F(SearchRouteTest, RetractedAndBlockedRecordsAreNotFound) {
  const std::string one = share("tea one"), two = share("tea two");
  EXPECT_EQ(post("/loam/v1/records/" + one + "/block", R"({"blocked":true})", owner_).status, 200);
  EXPECT_EQ(text_of(at(get("/loam/v1/search?q=tea").json, "hits", 0, "id")), two);
  EXPECT_EQ(post("/loam/v1/records/" + two + "/retract", "", owner_).status, 200);
  EXPECT_EQ(items(at(get("/loam/v1/search?q=tea").json, "hits")).size(), 0U);
  EXPECT_EQ(post("/loam/v1/records/" + one + "/block", R"({"blocked":false})", owner_).status, 200);
  EXPECT_EQ(text_of(at(get("/loam/v1/search?q=tea").json, "hits", 0, "id")), one);
}

}  // namespace
}  // namespace loam::api
