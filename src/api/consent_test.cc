// Consent in a request: who may ask that an answer be shared, how, and what the reply says.
#include "api/consent.h"

#include "api/testing/test_node.h"
#include "base/format.h"
#include "commons/licence.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::Reply;
using testing::sse_frames;
using testing::text_of;

constexpr const char* kPublish =
    R"("commons":{"publish":true,"licence":"CC-BY-4.0","scope":["train","eval"]})";
constexpr const char* kHeader = "publish; licence=CC-BY-4.0; scope=train,eval";

ApiResult<std::optional<Terms>> parsed(const std::string& body,
                                       const std::vector<std::string>& headers = {}) {
  http::Request request;
  for (const std::string& header : headers) request.headers.add("x-commons-consent", header);
  const codec::Value value = codec::parse_json(body).value();
  return read_consent(request, Fields::of(value).value());
}

TEST(Consent, IsReadFromTheBodyAndFromTheHeaderAlike) {
  const auto body = parsed(std::string("{") + kPublish + "}");
  ASSERT_TRUE(body && *body);
  EXPECT_EQ((*body)->licence, "CC-BY-4.0");
  EXPECT_TRUE((*body)->scope.train && (*body)->scope.eval);
  EXPECT_EQ(*parsed("{}", {kHeader}), *body);
  EXPECT_EQ(*parsed("{}", {" PUBLISH ;Scope= eval , train;licence= CC-BY-4.0 "}), *body);
  EXPECT_EQ(*parsed(std::string("{") + kPublish + "}", {kHeader, kHeader}), *body);
}

TEST(Consent, WhatDoesNotAskToPublishIsPrivate) {
  for (const char* body :
       {"{}", R"({"commons":null})", R"({"commons":{"publish":false}})",
        R"({"commons":{"publish":false,"licence":"CC0-1.0","scope":["eval"]}})"}) {
    const auto consent = parsed(body);
    ASSERT_TRUE(consent) << body;
    EXPECT_FALSE(*consent) << body;
  }
  EXPECT_FALSE(*parsed("{}", {"private"}));
  EXPECT_FALSE(*parsed(R"({"commons":{"publish":false}})", {"private"}));
}

TEST(Consent, WhatIsNotUnderstoodIsRefusedWithItsName) {
  const std::pair<const char*, const char*> bad[] = {
      {R"(true)", "commons"},
      {R"("publish")", "commons"},
      {R"([])", "commons"},
      {R"({})", "commons.publish"},
      {R"({"publish":1})", "commons.publish"},
      {R"({"publish":"yes"})", "commons.publish"},
      {R"({"publish":true})", "commons.licence"},
      {R"({"publish":true,"licence":7,"scope":["eval"]})", "commons.licence"},
      {R"({"publish":true,"licence":"CC-BY-NC-4.0","scope":["eval"]})", "commons.licence"},
      {R"({"publish":true,"licence":"cc-by-4.0","scope":["eval"]})", "commons.licence"},
      {R"({"publish":true,"licence":"CC0-1.0"})", "commons.scope"},
      {R"({"publish":true,"licence":"CC0-1.0","scope":"eval"})", "commons.scope"},
      {R"({"publish":true,"licence":"CC0-1.0","scope":[]})", "commons.scope"},
      {R"({"publish":true,"licence":"CC0-1.0","scope":["eval","sell"]})", "commons.scope"},
      {R"({"publish":true,"licence":"CC0-1.0","scope":[1]})", "commons.scope"},
      {R"({"publish":false,"licence":"none of them"})", "commons.licence"},
      {R"({"publish":false,"scope":"eval"})", "commons.scope"},
      {R"({"publish":true,"licence":"CC0-1.0","scope":["eval"],"now":true})", "commons"}};
  for (const auto& [commons, param] : bad) {
    const auto consent = parsed(R"({"commons":)" + std::string(commons) + "}");
    ASSERT_FALSE(consent) << commons;
    EXPECT_EQ(consent.error().status, 400) << commons;
    EXPECT_EQ(consent.error().param, param) << commons;
  }
  for (const char* header : {"", "yes", "publish", "publish;", "publish; licence=CC0-1.0",
                             "publish; licence; scope=eval", "publish; licence=CC0-1.0; scope=",
                             "publish; licence=CC0-1.0; scope=eval; now=1",
                             "publish; licence=CC0-1.0; scope=eval; licence=CC0-1.0",
                             "publish; publish=true", "publish, licence=CC0-1.0, scope=eval"}) {
    const auto consent = parsed("{}", {header});
    ASSERT_FALSE(consent) << header;
    EXPECT_EQ(consent.error().status, 400) << header;
    EXPECT_TRUE(consent.error().param->starts_with("X-Commons-Consent")) << header;
  }
}

TEST(Consent, BodyAndHeaderMustSayTheSame) {
  const std::string publish = std::string("{") + kPublish + "}";
  for (const auto& [body, headers] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {publish, {"private"}},
           {R"({"commons":{"publish":false}})", {kHeader}},
           {publish, {"publish; licence=CC0-1.0; scope=train,eval"}},
           {publish, {"publish; licence=CC-BY-4.0; scope=eval"}},
           {"{}", {kHeader, "private"}}}) {
    const auto consent = parsed(body, headers);
    ASSERT_FALSE(consent) << headers.back();
    EXPECT_EQ(consent.error().param, "X-Commons-Consent");
  }
}

class ConsentTest : public testing::NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    agree();
  }
  void agree() {
    ASSERT_TRUE(sharing_->give_standing({"CC-BY-4.0", "CC0-1.0"}, {.train = true, .eval = true}));
  }
  Reply chat(const std::string& fields, const std::string& secret) {
    return post("/v1/chat/completions",
                R"({"model":"tiny","messages":[{"role":"user","content":"Tell me of the tide."}],)"
                R"("max_tokens":8,)" +
                    fields + "}",
                secret);
  }
  std::vector<commons::Submission> shared() { return sharing_->list(10).value(); }
  /// The one submission, and that `commons` of a reply tells of it.
  void expect_shared(const codec::Value& commons, const std::string& header) {
    const auto list = shared();
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(header, list[0].id);
    EXPECT_EQ(at(commons, "submission"), list[0].id);
    EXPECT_EQ(at(commons, "state"), "queued");
    EXPECT_FALSE(text_of(at(commons, "publishes_at")).empty());
    EXPECT_EQ(commons.as_object()->size(), 3U);
  }
};

TEST_F(ConsentTest, AnAnswerIsSharedAsItIsGiven) {
  const Reply reply = chat(kPublish, owner_);
  ASSERT_EQ(reply.status, 200) << reply.body;
  expect_shared(at(reply.json, "commons"), reply.header("x-commons-submission"));
  const auto list = shared();
  EXPECT_EQ(list[0].answer, text_of(at(reply.json, "id")));
  EXPECT_EQ(list[0].licence, "CC-BY-4.0");
  const auto body = sharing_->queued(list[0].id);
  ASSERT_EQ(body->messages.size(), 2U);
  EXPECT_EQ(body->messages[0].content, "Tell me of the tide.");
  EXPECT_EQ(body->messages[0].origin, ledger::Origin::kHuman);
  EXPECT_EQ(body->messages[1].content, text_of(at(reply.json, "choices", 0, "message", "content")));
  EXPECT_FALSE(body->replay.is_null());
}

TEST_F(ConsentTest, TheHeaderDoesTheSame) {
  http::Request request = http::test_request(http::Method::kPost, "/v1/completions",
                                             R"({"model":"tiny","prompt":"the tide"})");
  request.headers.add("Authorization", "Bearer " + owner_);
  request.headers.add("X-Commons-Consent", kHeader);
  const Reply reply = send(std::move(request));
  ASSERT_EQ(reply.status, 200) << reply.body;
  expect_shared(at(reply.json, "commons"), reply.header("x-commons-submission"));
  const auto body = sharing_->queued(shared()[0].id);
  ASSERT_EQ(body->messages.size(), 2U);
  EXPECT_EQ(body->messages[0], (ledger::Message{"user", "the tide", ledger::Origin::kHuman}));
  EXPECT_EQ(body->messages[1].content, text_of(at(reply.json, "choices", 0, "text")));
}

TEST_F(ConsentTest, AStreamNamesItInItsHeadAndTellsInItsLastChunk) {
  for (const bool with_usage : {false, true}) {
    const Reply reply = chat(std::string(kPublish) + R"(,"stream":true)" +
                                 (with_usage ? R"(,"stream_options":{"include_usage":true})" : ""),
                             owner_);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto frames = sse_frames(reply.body);
    ASSERT_GT(frames.size(), 3U);
    EXPECT_EQ(frames.back(), "[DONE]");
    for (std::size_t i = 0; i + 2 < frames.size(); ++i)
      EXPECT_EQ(frames[i].find("commons"), nullptr) << i;
    const codec::Value& last = frames[frames.size() - 2];
    expect_shared(at(last, "commons"), reply.header("x-commons-submission"));
    const codec::Value& closing = frames[frames.size() - (with_usage ? 3 : 2)];
    EXPECT_EQ(at(closing, "choices", 0, "finish_reason"), "length");
    EXPECT_EQ(items(at(last, "choices")).empty(), with_usage);
    ASSERT_TRUE(sharing_->cancel(shared()[0].id));
  }
}

TEST_F(ConsentTest, WithoutConsentNothingIsSaidOfIt) {
  for (const char* fields : {R"("seed":1)", R"("commons":{"publish":false})"}) {
    const Reply reply = chat(fields, owner_);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("x-commons-submission"), "");
    EXPECT_EQ(reply.json.find("commons"), nullptr);
  }
  EXPECT_TRUE(shared().empty());
}

TEST_F(ConsentTest, OnlyTheOwnerAndKeysForItMayShareAndOthersGetNoAnswerEither) {
  const std::string reader = new_key({.infer = true});
  for (const std::string& secret : {std::string(), reader, std::string("loam-unknown")}) {
    const Reply reply = chat(kPublish, secret);
    EXPECT_EQ(reply.status, 403) << secret;
    EXPECT_EQ(reply.error("code"), "missing_scope");
  }
  EXPECT_EQ(loads_, 0);  // nothing was even loaded
  EXPECT_EQ(chat(kPublish, new_key({.infer = true, .publish = true})).status, 200);
  EXPECT_EQ(shared().size(), 1U);
}

TEST_F(ConsentTest, TheOwnerMustHaveAgreedToThatLicenceAndScope) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  Reply reply = chat(kPublish, owner_);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error("code"), "outside_standing_consent");
  ASSERT_TRUE(sharing_->withdraw_standing());
  reply = chat(kPublish, owner_);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error("code"), "no_standing_consent");
  EXPECT_TRUE(reply.error("message").contains("loam share consent"));
  EXPECT_EQ(loads_, 0);
  EXPECT_TRUE(shared().empty());
}

TEST_F(ConsentTest, AModelThatBarsTrainingAnswersOnlyForEval) {
  const env::Path path = model_file("closed");
  const auto hash = catalog::hash_file(env::open_read(path).value(), path).value().sha256;
  ASSERT_TRUE(catalog_->add("closed", path, hash, "test", "their-own-terms"));
  const auto ask = [&](const char* scope) {
    return post("/v1/completions",
                R"({"model":"closed","prompt":"x","commons":)"
                R"({"publish":true,"licence":"CC0-1.0","scope":[")" +
                    std::string(scope) + R"("]}})",
                owner_);
  };
  const Reply reply = ask("train");
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error("code"), "licence_bars_training");
  answers_->flush();
  EXPECT_TRUE(answers_->list("owner", 10)->empty());  // it was refused before anything was said
  EXPECT_EQ(ask("eval").status, 200);
  EXPECT_EQ(shared().size(), 1U);
}

TEST_F(ConsentTest, OneRequestSharesOneAnswerToAText) {
  EXPECT_EQ(chat(std::string(kPublish) + R"(,"n":2)", owner_).error("param"), "n");
  for (const char* prompt : {R"(["a","b"])", "[[5,6]]", "[5,6]"})
    EXPECT_EQ(
        post("/v1/completions",
             R"({"model":"tiny","prompt":)" + std::string(prompt) + "," + kPublish + "}", owner_)
            .error("param"),
        "prompt")
        << prompt;
  const Reply reply = post("/v1/embeddings",
                           R"({"model":"tiny","input":"a",)" + std::string(kPublish) + "}", owner_);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.error("param"), "commons");
  EXPECT_EQ(
      post("/v1/embeddings", R"({"model":"tiny","input":"a","commons":{"publish":false}})").status,
      200);
  EXPECT_TRUE(shared().empty());
}

TEST_F(ConsentTest, WhatIsNotKeptCanBeSharedAllTheSame) {
  ASSERT_EQ(chat(std::string(kPublish) + R"(,"store":false)", owner_).status, 200);
  answers_->flush();
  EXPECT_TRUE(answers_->list("owner", 10)->empty());
  EXPECT_EQ(shared().size(), 1U);
}

TEST_F(ConsentTest, AClientThatLeavesSharesNothing) {
  step_ms_ = 5;
  start();
  http::Request request = http::test_request(
      http::Method::kPost, "/v1/chat/completions",
      R"({"model":"tiny","messages":[{"role":"user","content":"x"}],"stream":true,"ignore_eos":true,)"
      R"("max_tokens":2000,)" +
          std::string(kPublish) + "}");
  request.headers.add("Authorization", "Bearer " + owner_);
  const auto answer = begin(std::move(request));
  EXPECT_FALSE(answer->wait_for("content").headers.find("x-commons-submission")->empty());
  answer->disconnect();
  app_.reset();
  EXPECT_TRUE(shared().empty());
}

TEST_F(ConsentTest, TheOwnerAgreesAfterAPreviewAndMayTakeItBack) {
  ASSERT_TRUE(sharing_->withdraw_standing());
  EXPECT_TRUE(at(get("/loam/v1/consent", owner_).json, "standing").is_null());
  const std::string terms = R"("licences":["CC0-1.0","CC-BY-4.0"],"scope":["eval"])";
  const Reply preview = post("/loam/v1/consent", "{" + terms + R"(,"preview":true})", owner_);
  ASSERT_EQ(preview.status, 200) << preview.body;
  const codec::Value example = at(preview.json, "example");
  EXPECT_EQ(at(example, "meaning"), commons::kConsentWords);
  EXPECT_TRUE(text_of(at(example, "body", "messages", 1, "content")).contains("[email]"));
  EXPECT_TRUE(at(get("/loam/v1/consent", owner_).json, "standing").is_null());

  for (const std::string& wrong : {std::string(), std::string(R"(,"consent":"00")")})
    EXPECT_EQ(post("/loam/v1/consent", format("{{{}{}}}", terms, wrong), owner_).error("param"),
              "consent");
  const std::string words = text_of(at(example, "header", "consent"));
  const Reply given =
      post("/loam/v1/consent", "{" + terms + R"(,"consent":")" + words + R"("})", owner_);
  ASSERT_EQ(given.status, 201) << given.body;
  const codec::Value standing = at(get("/loam/v1/consent", owner_).json, "standing");
  EXPECT_EQ(codec::to_json(at(standing, "licences")), R"(["CC0-1.0","CC-BY-4.0"])");
  EXPECT_EQ(codec::to_json(at(standing, "scope")), R"(["eval"])");

  EXPECT_EQ(send(http::Method::kDelete, "/loam/v1/consent", {}, owner_).status, 200);
  EXPECT_FALSE(*sharing_->standing());
}

TEST_F(ConsentTest, AgreeingIsTheOwners) {
  const std::string publisher = new_key({.infer = true, .publish = true});
  const std::string body = R"({"licences":["CC0-1.0"],"scope":["eval"],"preview":true})";
  EXPECT_EQ(post("/loam/v1/consent", body).status, 401);
  EXPECT_EQ(post("/loam/v1/consent", body, publisher).status, 403);
  EXPECT_EQ(send(http::Method::kDelete, "/loam/v1/consent", {}, publisher).status, 403);
  EXPECT_EQ(get("/loam/v1/consent", publisher).status, 200);
  for (const char* wrong :
       {R"({"scope":["eval"]})", R"({"licences":[],"scope":["eval"]})",
        R"({"licences":"CC0-1.0","scope":["eval"]})", R"({"licences":[7],"scope":["eval"]})",
        R"({"licences":["GPL-3.0"],"scope":["eval"]})"})
    EXPECT_EQ(post("/loam/v1/consent", wrong, owner_).error("param"), "licences") << wrong;
}

TEST_F(ConsentTest, APreviewShowsWhatTheTemplateAddedAndTheMessagesAsTheyWereEvaluated) {
  pool::Answer answer;
  answer.reply_id = "chatcmpl-1";
  answer.caller = "owner";
  answer.made_ms = clock_.wall_ms();
  answer.model_name = "tiny";
  answer.prompt_json =
      R"([{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}])";
  answer.template_system = "You are tiny.";
  answer.text = "three";
  answers_->add(answer);
  const std::string body =
      R"({"answer":"chatcmpl-1","licence":"CC0-1.0","scope":["eval"],"preview":true})";
  Reply reply = post("/loam/v1/share", body, owner_);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(codec::to_json(at(reply.json, "body", "messages")),
            R"([{"role":"system","content":"You are tiny.","origin":"unknown"},)"
            R"({"role":"user","content":"one\ntwo","origin":"human"},)"
            R"({"role":"assistant","content":"three","origin":"model"}])");
  EXPECT_EQ(at(reply.json, "system_from_template"), true);

  answer.reply_id = "chatcmpl-2";
  answer.prompt_json = "[5,6,7]";
  answers_->add(answer);
  reply = post("/loam/v1/share",
               R"({"answer":"chatcmpl-2","licence":"CC0-1.0","scope":["eval"],"preview":true})",
               owner_);
  EXPECT_EQ(reply.status, 400);
  EXPECT_TRUE(reply.error("message").contains("tokens"));
}

}  // namespace
}  // namespace loam::api
