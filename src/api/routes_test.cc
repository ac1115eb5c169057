// The routes beside chat and completions.
#include <bit>
#include <cmath>

#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::Reply;
using testing::text_of;

class RoutesTest : public testing::NodeTest {};

TEST_F(RoutesTest, UnknownPathsAre404InJson) {
  const Reply reply = get("/v1/nothing");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.error("type"), "not_found_error");
  EXPECT_EQ(reply.header("content-type"), "application/json");
  EXPECT_FALSE(reply.header("x-request-id").empty());
}

TEST_F(RoutesTest, AWrongMethodIs405WithAllow) {
  const Reply reply = get("/v1/chat/completions");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("allow"), "POST");
}

TEST_F(RoutesTest, ForeignHostsAndPagesAreRefusedBeforeAnything) {
  http::Request request = http::test_request(http::Method::kGet, "/v1/models");
  request.headers.set("host", "rebound.example:5626");
  EXPECT_EQ(send(request).status, 403);
  request.headers.set("host", "127.0.0.1:5626");
  request.headers.set("origin", "https://evil.example");
  EXPECT_EQ(send(request).error("code"), "origin_not_allowed");
}

TEST_F(RoutesTest, AnAllowedPageMayAskAndRead) {
  settings_.access.allowed_origins = {"https://mine.example"};
  start();
  http::Request request = http::test_request(http::Method::kOptions, "/v1/chat/completions");
  request.headers.set("origin", "https://mine.example");
  request.headers.set("access-control-request-headers", "authorization,x-stainless-os");
  Reply reply = send(request);
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.header("access-control-allow-origin"), "https://mine.example");
  EXPECT_EQ(reply.header("access-control-allow-headers"), "authorization,x-stainless-os");
  request = http::test_request(http::Method::kGet, "/v1/models");
  request.headers.set("origin", "https://mine.example");
  reply = send(request);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("access-control-allow-origin"), "https://mine.example");
}

TEST_F(RoutesTest, HealthAndVersionAreOpenToAll) {
  EXPECT_EQ(get("/health").body, R"({"status":"ok"})");
  EXPECT_EQ(get("/version").body, R"({"version":"1.2.3"})");
  app_->begin_stopping();
  EXPECT_EQ(get("/health").status, 503);
}

TEST_F(RoutesTest, ModelsHaveTheKeysOfBothFamiliesOfClients) {
  const Reply list = get("/v1/models");
  EXPECT_EQ(at(list.json, "object"), "list");
  EXPECT_EQ(at(list.json, "first_id"), "tiny");
  const codec::Value model = at(list.json, "data", 0);
  for (const char* key : {"id", "object", "created", "owned_by", "type", "display_name",
                          "created_at", "max_model_len"})
    EXPECT_NE(model.find(key), nullptr) << key;
  EXPECT_EQ(get("/v1/models/tiny").json, model);
  EXPECT_EQ(get("/v1/models/nope").error("code"), "model_not_found");
}

TEST_F(RoutesTest, ModelNamesMayHoldSlashesAndColons) {
  add_model("lab/tiny:v2");
  EXPECT_EQ(at(get("/v1/models/lab/tiny:v2").json, "id"), "lab/tiny:v2");
  EXPECT_EQ(at(get("/v1/models/lab%2Ftiny%3Av2").json, "id"), "lab/tiny:v2");
}

TEST_F(RoutesTest, RemovingAModelNeedsTheOwner) {
  EXPECT_EQ(send(http::Method::kDelete, "/v1/models/tiny").status, 401);
  const Reply reply = send(http::Method::kDelete, "/v1/models/tiny", {}, owner_);
  EXPECT_EQ(reply.body, R"({"id":"tiny","object":"model","deleted":true})");
  EXPECT_EQ(get("/v1/models/tiny").status, 404);
}

TEST_F(RoutesTest, EmbeddingsComeAsNumbersOrBase64) {
  const Reply plain = post("/v1/embeddings", R"({"model":"tiny","input":["one","two"]})");
  ASSERT_EQ(plain.status, 200) << plain.body;
  const codec::Value first = at(plain.json, "data", 0, "embedding");
  ASSERT_NE(first.as_array(), nullptr);
  EXPECT_EQ(at(plain.json, "data", 1, "index"), 1);
  double norm = 0;
  for (const codec::Value& value : items(first)) norm += value.number() * value.number();
  EXPECT_NEAR(std::sqrt(norm), 1.0, 1e-5);
  EXPECT_EQ(at(plain.json, "usage", "prompt_tokens"), at(plain.json, "usage", "total_tokens"));

  const Reply packed =
      post("/v1/embeddings", R"({"model":"tiny","input":"one","encoding_format":"base64"})");
  const Bytes bytes = from_base64(text_of(at(packed.json, "data", 0, "embedding"))).value();
  ASSERT_EQ(bytes.size(), items(first).size() * 4);
  std::uint32_t bits = 0;
  for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | bytes[i];
  EXPECT_FLOAT_EQ(std::bit_cast<float>(bits), static_cast<float>(at(first, 0).number()));
}

TEST_F(RoutesTest, EmbeddingsOfAnotherWidthAreRefused) {
  const Reply reply = post("/v1/embeddings", R"({"model":"tiny","input":"one","dimensions":8})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.error("param"), "dimensions");
}

TEST_F(RoutesTest, TokenizeAndDetokenizeAreInverse) {
  const Reply tokens = post("/tokenize", R"({"prompt":"café","add_special_tokens":false})");
  EXPECT_EQ(at(tokens.json, "count"), 5);
  const Reply text =
      post("/detokenize", R"({"tokens":)" + codec::to_json(at(tokens.json, "tokens")) + "}");
  EXPECT_EQ(at(text.json, "prompt"), "café");
  EXPECT_EQ(items(at(post("/tokenize", R"({"content":"x"})").json, "tokens")).size(), 2U);
  EXPECT_EQ(post("/tokenize", "{}").error("param"), "prompt");
  EXPECT_EQ(post("/detokenize", R"({"tokens":[-1]})").error("param"), "tokens");
  EXPECT_EQ(post("/detokenize", R"({"tokens":[100000]})").error("param"), "tokens");
}

TEST_F(RoutesTest, TokenizerInfoNamesTheSpecialTokens) {
  const Reply reply = get("/tokenizer_info");
  EXPECT_EQ(at(reply.json, "bos_token"), "<s>");
  EXPECT_EQ(at(reply.json, "eos_token"), "</s>");
  EXPECT_TRUE(text_of(at(reply.json, "chat_template")).contains("messages"));
}

TEST_F(RoutesTest, WithSeveralModelsTheOnlyLoadedOneIsMeant) {
  add_model("other");
  EXPECT_EQ(get("/tokenizer_info").error("param"), "model");
  EXPECT_EQ(at(get("/tokenizer_info?model=other").json, "model"), "other");
  EXPECT_EQ(at(get("/tokenizer_info").json, "model"), "other");
}

TEST_F(RoutesTest, MetricsCountRoutesByPatternOnly) {
  get("/v1/models/tiny");
  get("/v1/models/planted-name");
  get("/planted/path");
  post("/v1/completions", R"({"model":"tiny","prompt":"planted prompt","temperature":0})");
  const Reply reply = get("/metrics");
  EXPECT_EQ(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_TRUE(reply.body.contains(
      R"(loam_http_requests_total{route="/v1/models/{id...}",method="GET",status="404"} 1)"));
  EXPECT_TRUE(reply.body.contains(R"(route="other",method="GET",status="404"} 1)"));
  EXPECT_TRUE(reply.body.contains(R"(loam_generation_tokens_total{model="tiny"} 16)"));
  EXPECT_TRUE(reply.body.contains("loam_models_loaded 1"));
  EXPECT_TRUE(reply.body.contains("gen_ai_server_time_to_first_token_seconds_bucket"));
  EXPECT_FALSE(reply.body.contains("planted"));
}

TEST_F(RoutesTest, LoamModelsShowFactsAndPaths) {
  const Reply list = get("/loam/v1/models");
  const codec::Value model = at(list.json, "models", 0);
  EXPECT_EQ(at(model, "name"), "tiny");
  EXPECT_EQ(at(model, "loaded"), false);
  EXPECT_EQ(text_of(at(model, "sha256")).size(), 64U);
  EXPECT_FALSE(text_of(at(model, "path")).empty());
  EXPECT_NE(at(get("/loam/v1/models/tiny").json, "facts").find("chat_template"), nullptr);

  http::Request remote = http::test_request(http::Method::kGet, "/loam/v1/models");
  remote.peer_is_loopback = false;
  remote.headers.add("x-api-key", new_key({.infer = true}));
  EXPECT_EQ(at(send(remote).json, "models", 0).find("path"), nullptr);
}

TEST_F(RoutesTest, ModelsAreCopiedAndRemovedByTheOwner) {
  EXPECT_EQ(post("/loam/v1/models/copy", R"({"from":"tiny","to":"small"})").status, 401);
  Reply reply = post("/loam/v1/models/copy", R"({"from":"tiny","to":"small"})", owner_);
  EXPECT_EQ(at(reply.json, "name"), "small");
  reply = post("/loam/v1/models/copy", R"({"from":"none","to":"x"})", owner_);
  EXPECT_EQ(reply.error("param"), "from");
  reply = send(http::Method::kDelete, "/loam/v1/models/small", {}, owner_);
  EXPECT_EQ(reply.body, R"({"id":"small","deleted":true})");
}

TEST_F(RoutesTest, LoadPsAndUnload) {
  EXPECT_EQ(post("/loam/v1/load", R"({"model":"tiny"})").status, 401);
  Reply reply = post("/loam/v1/load", R"({"model":"tiny","keep_alive":"10m"})", owner_);
  EXPECT_EQ(at(reply.json, "model"), "tiny");
  reply = get("/loam/v1/ps");
  EXPECT_EQ(at(reply.json, "models", 0, "name"), "tiny");
  EXPECT_FALSE(text_of(at(reply.json, "models", 0, "loaded_at")).empty());
  EXPECT_EQ(at(get("/loam/v1/models/tiny").json, "loaded"), true);
  reply = post("/loam/v1/unload", R"({"model":"tiny"})", owner_);
  EXPECT_EQ(reply.body, R"({"model":"tiny","unloaded":true})");
  EXPECT_EQ(at(get("/loam/v1/ps").json, "models"), codec::Value(codec::Array{}));
  EXPECT_EQ(post("/loam/v1/load", R"({"model":"none"})", owner_).status, 404);
}

TEST_F(RoutesTest, KeysAreMadeShownAndRevoked) {
  EXPECT_EQ(get("/loam/v1/keys").status, 401);
  const Reply made =
      post("/loam/v1/keys", R"({"label":"laptop","scopes":["infer","publish"]})", owner_);
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string secret = text_of(at(made.json, "key"));
  EXPECT_EQ(get("/v1/models", secret).status, 200);
  const Reply list = get("/loam/v1/keys", owner_);
  EXPECT_EQ(at(list.json, "keys", 0, "label"), "laptop");
  EXPECT_EQ(at(list.json, "keys", 0, "scopes", 1), "publish");
  EXPECT_FALSE(list.body.contains(secret));
  const std::string id = text_of(at(made.json, "id"));
  EXPECT_EQ(send(http::Method::kDelete, "/loam/v1/keys/" + id, {}, owner_).status, 200);
  EXPECT_FALSE(keys_->identify(secret).has_value());
  EXPECT_EQ(send(http::Method::kDelete, "/loam/v1/keys/" + id, {}, owner_).status, 404);
  EXPECT_EQ(post("/loam/v1/keys", R"({"scopes":["root"]})", owner_).error("param"), "scopes");
  EXPECT_EQ(post("/loam/v1/keys", R"({"scopes":"infer"})", owner_).error("param"), "scopes");
}

TEST_F(RoutesTest, StatusTellsStrangersNoPaths) {
  const Reply mine = get("/loam/v1/status");
  EXPECT_EQ(at(mine.json, "listen"), "127.0.0.1:5626");
  EXPECT_NE(mine.json.find("pid"), nullptr);
  http::Request remote = http::test_request(http::Method::kGet, "/loam/v1/status");
  remote.headers.add("x-forwarded-for", "10.0.0.1");
  remote.headers.add("x-api-key", new_key({.infer = true}));
  const Reply theirs = send(remote);
  EXPECT_EQ(theirs.status, 200);
  EXPECT_EQ(theirs.json.find("pid"), nullptr);
  EXPECT_EQ(theirs.json.find("folders"), nullptr);
}

TEST_F(RoutesTest, OnlyTheOwnerStopsTheNode) {
  EXPECT_EQ(post("/loam/v1/shutdown", "").status, 401);
  EXPECT_FALSE(shutdown_asked_);
  EXPECT_EQ(post("/loam/v1/shutdown", "", owner_).status, 202);
  EXPECT_TRUE(shutdown_asked_);
}

TEST_F(RoutesTest, AnswersAreReadByWhoeverAskedAndBytheOwnerOnly) {
  const std::string key = new_key({.infer = true});
  const std::string body = R"({"model":"tiny","prompt":"the tide","seed":5})";
  const std::string local_id = text_of(at(post("/v1/completions", body).json, "id"));
  const std::string key_id = text_of(at(post("/v1/completions", body, key).json, "id"));

  EXPECT_EQ(get("/loam/v1/answers").status, 401);
  Reply list = get("/loam/v1/answers", key);
  ASSERT_EQ(items(at(list.json, "answers")).size(), 1U);
  EXPECT_EQ(at(list.json, "answers", 0, "id"), key_id);
  list = get("/loam/v1/answers", owner_);
  ASSERT_EQ(items(at(list.json, "answers")).size(), 1U);
  EXPECT_EQ(at(list.json, "answers", 0, "id"), local_id);

  const Reply one = get("/loam/v1/answers/" + key_id, key);
  EXPECT_EQ(at(one.json, "prompt"), "the tide");
  EXPECT_EQ(at(one.json, "seed", "mode"), "integer");
  EXPECT_EQ(items(at(one.json, "output_tokens")).size(), 16U);
  EXPECT_EQ(items(at(one.json, "lp16")).size(), 16U);
  EXPECT_EQ(get("/loam/v1/answers/" + local_id, key).status, 404);
  EXPECT_EQ(get("/loam/v1/answers?limit=x", key).error("param"), "limit");

  EXPECT_EQ(send(http::Method::kDelete, "/loam/v1/answers", {}, key).body, R"({"deleted":1})");
  EXPECT_EQ(get("/loam/v1/answers/" + key_id, key).status, 404);
  EXPECT_EQ(get("/loam/v1/answers/" + local_id, owner_).status, 200);
}

TEST_F(RoutesTest, PullTakesALocalFileAndReportsProgress) {
  const env::Path file = model_file("fresh");
  const std::string body = R"({"source":")" + file.string() + R"(","name":"fresh"})";
  EXPECT_EQ(post("/loam/v1/pull", body).status, 401);
  const Reply reply = post("/loam/v1/pull", body, owner_);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("content-type"), "application/x-ndjson");
  const std::string_view lines = reply.body;
  const std::size_t last = lines.rfind('\n', lines.size() - 2);
  const auto final_line = codec::parse_json(
      lines.substr(last == std::string_view::npos ? 0 : last + 1, std::string::npos));
  ASSERT_TRUE(final_line.has_value()) << reply.body;
  EXPECT_EQ(at(*final_line, "model", "name"), "fresh");
  EXPECT_EQ(get("/v1/models/fresh").status, 200);
}

TEST_F(RoutesTest, APullThatFailsAtOnceHasTheStatusOfItsError) {
  Reply reply = post("/loam/v1/pull", R"({"source":"https://models.example/x.gguf"})", owner_);
  EXPECT_GE(reply.status, 400) << reply.body;
  reply = post("/loam/v1/pull", R"({"source":"/nowhere/x.gguf","stream":false})", owner_);
  EXPECT_EQ(reply.status, 404) << reply.body;
  EXPECT_EQ(post("/loam/v1/pull", R"({"name":"x"})", owner_).error("param"), "source");
  EXPECT_EQ(post("/loam/v1/pull", R"({"source":"x","sha256":"zz"})", owner_).error("param"),
            "sha256");
}

TEST_F(RoutesTest, RefusalsOfTheServerHaveTheSameForm) {
  const http::Response response = App::error_reply(413, "the body is larger than 8 MiB");
  EXPECT_EQ(response.status, 413);
  EXPECT_TRUE(response.body.contains(R"("code":"request_too_large")"));
}

}  // namespace
}  // namespace loam::api
