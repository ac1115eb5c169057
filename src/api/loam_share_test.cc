// Who may share what, see what waits, and take it back. DESIGN.md 8.9.
#include <gtest/gtest.h>

#include <set>

#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::Reply;
using testing::text_of;

constexpr const char* kTerms = R"("licence":"CC0-1.0","scope":["eval"])";

class LoamShareTest : public testing::NodeTest {
 protected:
  void keep_answer(const std::string& id, const std::string& caller, const std::string& message) {
    pool::Answer answer;
    answer.reply_id = id;
    answer.caller = caller;
    answer.made_ms = clock_.wall_ms();
    answer.model_name = "tiny";
    answer.prompt_json = "[" + message + "]";
    answer.prompt_tokens = {1, 2, 3};
    answer.text = "An answer.";
    answers_->add(answer);
  }
  Reply share(const std::string& fields, const std::string& secret) {
    return post("/loam/v1/share", std::string("{") + kTerms + fields + "}", secret);
  }
};

constexpr const char* kQuestion = R"({"role":"user","content":"A question?"})";

TEST_F(LoamShareTest, AKeySharesItsOwnAnswersWithinTheStandingConsentOnly) {
  const auto [id, secret] = keys_->create("test", {.infer = true, .publish = true}).value();
  keep_answer("chatcmpl-1", id.id, kQuestion);
  Reply reply = share(R"(,"now":true)", secret);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error("code"), "no_standing_consent");
  EXPECT_EQ(share(R"(,"preview":true)", secret).status, 403);
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  EXPECT_EQ(share(R"(,"now":true)", secret).status, 201);
  EXPECT_EQ(*log_->size(), 1U);
}

TEST_F(LoamShareTest, AKeySeesAndTakesBackItsOwnSubmissionsOnly) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  const auto [id, secret] = keys_->create("test", {.infer = true, .publish = true}).value();
  keep_answer("chatcmpl-1", id.id, kQuestion);
  keep_answer("chatcmpl-2", "owner", kQuestion);
  const std::string own = text_of(at(share("", secret).json, "submission"));
  const std::string other = text_of(at(share("", owner_).json, "submission"));
  ASSERT_FALSE(own.empty());
  EXPECT_EQ(at(get("/loam/v1/share", secret).json, "submissions").as_array()->size(), 1U);
  EXPECT_EQ(at(get("/loam/v1/share", owner_).json, "submissions").as_array()->size(), 2U);
  const std::string path = "/loam/v1/share/";
  EXPECT_EQ(get(path + other, secret).status, 404);
  EXPECT_EQ(post(path + other + "/now", "", secret).status, 404);
  EXPECT_EQ(send(http::Method::kDelete, path + other, {}, secret).status, 404);
  EXPECT_EQ(get(path + own, secret).status, 200);
  EXPECT_EQ(send(http::Method::kDelete, path + own, {}, secret).status, 200);
  EXPECT_EQ(get(path + other, owner_).status, 200);
  EXPECT_EQ(*log_->size(), 0U);
}

TEST_F(LoamShareTest, AKeyEditsAndRetractsItsOwnRecordsOnlyAndRatesAll) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  const auto [id, secret] = keys_->create("test", {.infer = true, .publish = true}).value();
  keep_answer("chatcmpl-1", id.id, kQuestion);
  keep_answer("chatcmpl-2", "owner", kQuestion);
  const auto path_of = [](const Reply& shared) {
    return "/loam/v1/records/" + text_of(at(shared.json, "record"));
  };
  const std::string own = path_of(share(R"(,"now":true)", secret));
  const std::string other = path_of(share(R"(,"now":true)", owner_));
  const std::string edit = R"({"answer":"Better.","now":true})";
  EXPECT_EQ(post(other + "/edit", edit, secret).status, 404);
  EXPECT_EQ(post(other + "/edit", R"({"answer":"x","preview":true})", secret).status, 404);
  EXPECT_EQ(post(other + "/retract", "", secret).status, 404);
  EXPECT_EQ(*log_->size(), 2U);
  EXPECT_TRUE(answers_->find("owner", "chatcmpl-2", 0));
  EXPECT_EQ(post(other + "/rate", R"({"vote":"up"})", secret).status, 201);
  const Reply edited = post(own + "/edit", edit, secret);
  EXPECT_EQ(edited.status, 201) << edited.body;
  EXPECT_EQ(post(path_of(edited) + "/retract", "", secret).status, 200);
  ASSERT_TRUE(sharing_->withdraw_standing());
  EXPECT_EQ(post(own + "/edit", edit, secret).status, 403);
  EXPECT_EQ(post(own + "/retract", "", secret).status, 200);
  EXPECT_FALSE(answers_->find(id.id, "chatcmpl-1", 0));
  EXPECT_EQ(post(other + "/retract", "", owner_).status, 200);
}

TEST_F(LoamShareTest, ARetractionForgetsTheOtherTurnsOfItsConversation) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  keep_answer("chatcmpl-2", "owner",
              std::string(kQuestion) + R"(,{"role":"assistant","content":"An answer."},)"
                                       R"({"role":"user","content":"And then?"})");
  keep_answer("chatcmpl-3", "owner", R"({"role":"user","content":"And then?"})");
  const Reply shared = share(R"(,"answer":"chatcmpl-1","now":true)", owner_);
  const std::string record = "/loam/v1/records/" + text_of(at(shared.json, "record"));
  EXPECT_EQ(post(record + "/retract", "", owner_).status, 200);
  EXPECT_FALSE(answers_->find("owner", "chatcmpl-1", 0));
  EXPECT_FALSE(answers_->find("owner", "chatcmpl-2", 0));
  EXPECT_TRUE(answers_->find("owner", "chatcmpl-3", 0));
}

TEST_F(LoamShareTest, WhatWasRetractedBeforeTheStartIsErasedThen) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  const Reply shared = share(R"(,"now":true)", owner_);
  const auto record = *ledger::parse_record_id(text_of(at(shared.json, "record")));
  ASSERT_TRUE(search_->catch_up(log_->verifier_key().name));
  ledger::Draft draft;
  draft.kind = ledger::Kind::kRetraction;
  draft.refs = {record};
  draft.payload = ledger::encode_retraction(ledger::RetractionReason::kAuthor);
  ASSERT_TRUE(log_->post(std::move(draft)));
  EXPECT_TRUE(answers_->find("owner", "chatcmpl-1", 0));
  start();
  EXPECT_FALSE(answers_->find("owner", "chatcmpl-1", 0));
  EXPECT_EQ(at(get("/loam/v1/share", owner_).json, "submissions", 0, "state"), "retracted");
}

TEST_F(LoamShareTest, TokensThatATemplateMayHaveMadeOfANameAreNotShared) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  EXPECT_EQ(at(share(R"(,"preview":true)", owner_).json, "body", "replayable"), true);
  keep_answer("chatcmpl-2", "owner", R"({"role":"user","name":"Ann","content":"A question?"})");
  const Reply reply = share(R"(,"preview":true,"answer":"chatcmpl-2")", owner_);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.json, "body", "replayable"), false);
  EXPECT_EQ(reply.body.find("Ann"), std::string::npos);
}

TEST_F(LoamShareTest, APreviewNamesTheAnswerThatItShows) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  const Reply shown = share(R"(,"preview":true)", owner_);
  EXPECT_EQ(at(shown.json, "answer"), "chatcmpl-1");
  EXPECT_EQ(at(shown.json, "choice"), 0);
  keep_answer("chatcmpl-2", "local", kQuestion);  // of another program, meanwhile
  const Reply done = share(R"(,"answer":"chatcmpl-1","choice":0)", owner_);
  EXPECT_EQ(at(done.json, "answer"), "chatcmpl-1");
}

TEST_F(LoamShareTest, APreviewsHeaderIsTheOneThatIsPostedButForWhatItNames) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  const codec::Value shown = share(R"(,"preview":true)", owner_).json;
  const Reply shared = share(R"(,"now":true)", owner_);
  const std::string record = "/loam/v1/records/" + text_of(at(shared.json, "record"));
  const codec::Value posted = get(record, owner_).json;
  std::set<std::string> named = {"id",      "index", "log",           "retracted",
                                 "blocked", "body",  "referred_to_by"};
  for (const codec::Value& name : testing::items(at(shown, "set_when_published")))
    named.insert(text_of(name));
  const codec::Value header = at(shown, "header");
  for (const codec::Member& member : *posted.as_object()) {
    if (named.contains(member.first)) {
      EXPECT_EQ(header.find(member.first), nullptr) << member.first;
    } else {
      EXPECT_EQ(at(header, member.first), member.second) << member.first;
    }
  }
  for (const char* name : {"kind", "net", "log_key_hash", "consent", "body_bytes_max"})
    EXPECT_NE(header.find(name), nullptr) << name;
}

TEST_F(LoamShareTest, AnEditIsShownQueuedAndPublishedAsAShareIs) {
  keep_answer("chatcmpl-1", "owner", kQuestion);
  const Reply shared = share(R"(,"now":true)", owner_);
  const std::string path = "/loam/v1/records/" + text_of(at(shared.json, "record")) + "/edit";
  const std::string answer = R"({"answer":"Better. Ask bob@example.com.")";
  Reply reply = post(path, answer + R"(,"preview":true})", owner_);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.json, "masked").as_array()->size(), 1U);
  EXPECT_FALSE(text_of(at(reply.json, "meaning")).empty());
  reply = post(path, answer + "}", owner_);
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(at(reply.json, "state"), "queued");
  EXPECT_EQ(at(reply.json, "edits"), at(shared.json, "record"));
  EXPECT_EQ(*log_->size(), 1U);
  EXPECT_EQ(post(path, answer + "}", new_key({.publish = true})).status, 404);
  reply = post(path, answer + R"(,"now":true})", owner_);
  EXPECT_EQ(at(reply.json, "state"), "published");
  EXPECT_EQ(*log_->size(), 2U);
}

}  // namespace
}  // namespace loam::api
