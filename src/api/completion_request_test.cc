#include "api/completion_request.h"

#include <gtest/gtest.h>

#include "api/embedding_request.h"

namespace loam::api {
namespace {

using Tokens = std::vector<engine::TokenId>;

ApiResult<CompletionRequest> parse(const std::string& fields) {
  return parse_completion_request(LOAM_TRY(parse_object(R"({"model":"m",)" + fields + "}")));
}

ApiResult<EmbeddingRequest> parse_embedding(const std::string& fields) {
  return parse_embedding_request(LOAM_TRY(parse_object(R"({"model":"m",)" + fields + "}")));
}

template <class T>
std::string param_of(const ApiResult<T>& result) {
  if (result.has_value()) return "accepted";
  EXPECT_EQ(result.error().status, 400);
  return result.error().param.value_or("null");
}

TEST(CompletionRequest, TakesTheFourShapesOfAPrompt) {
  EXPECT_EQ(parse(R"("prompt":"a")")->prompts, (std::vector<TextInput>{"a"}));
  EXPECT_EQ(parse(R"("prompt":["a","b"])")->prompts, (std::vector<TextInput>{"a", "b"}));
  EXPECT_EQ(parse(R"("prompt":[1,2])")->prompts, (std::vector<TextInput>{Tokens{1, 2}}));
  EXPECT_EQ(parse(R"("prompt":[[1],[2,3]])")->prompts,
            (std::vector<TextInput>{Tokens{1}, Tokens{2, 3}}));
}

TEST(CompletionRequest, RefusesPromptsOfAnotherShape) {
  for (const auto& [fields, param] : std::vector<std::pair<std::string, std::string>>{
           {R"("echo":true)", "prompt"},
           {R"("prompt":null)", "prompt"},
           {R"("prompt":{})", "prompt"},
           {R"("prompt":[])", "prompt"},
           {R"("prompt":7)", "prompt"},
           {R"("prompt":[1,"a"])", "prompt"},
           {R"("prompt":[1.5])", "prompt"},
           {R"("prompt":[-1])", "prompt"},
           {R"("prompt":[99999999999])", "prompt"},
           {R"("prompt":["a",7])", "prompt[1]"},
           {R"("prompt":[[1],[]])", "prompt[1]"},
           {R"("prompt":[[1],["a"]])", "prompt[1]"},
           {R"("prompt":[[[1]]])", "prompt[0]"},
       })
    EXPECT_EQ(param_of(parse(fields)), param) << fields;
  std::string many = R"("prompt":["x")";
  for (std::size_t i = 0; i < kPromptsMax; ++i) many += R"(,"x")";
  EXPECT_EQ(param_of(parse(many + "]")), "prompt");
}

TEST(CompletionRequest, DefaultsAreOpenAis) {
  const auto request = parse(R"("prompt":"a")");
  EXPECT_EQ(request->generation.tokens_max, 16U);
  EXPECT_FALSE(request->generation.top_logprobs.has_value());
  EXPECT_FALSE(request->echo);
}

TEST(CompletionRequest, TakesWhatLmEvalSends) {
  const auto request = parse(
      R"("prompt":[[1,2,3]],"max_tokens":1,"logprobs":1,"echo":true,"temperature":0,"seed":1234)");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->generation.top_logprobs, 1U);
  EXPECT_EQ(request->generation.sampling.temperature, 0);
  EXPECT_TRUE(request->echo);
}

TEST(CompletionRequest, MayAskForNoTokenAtAll) {
  EXPECT_EQ(parse(R"("prompt":"a","max_tokens":0,"echo":true)")->generation.tokens_max, 0U);
  EXPECT_EQ(param_of(parse(R"("prompt":"a","max_tokens":-1)")), "max_tokens");
}

TEST(CompletionRequest, RefusesWhatIsNotOffered) {
  EXPECT_EQ(param_of(parse(R"("prompt":"a","suffix":"b")")), "suffix");
  EXPECT_EQ(param_of(parse(R"("prompt":"a","best_of":3)")), "best_of");
  EXPECT_EQ(param_of(parse(R"("prompt":"a","best_of":2,"n":2)")), "accepted");
  EXPECT_EQ(param_of(parse(R"("prompt":"a","logprobs":true)")), "logprobs");
  EXPECT_EQ(param_of(parse(R"("prompt":"a","logprobs":21)")), "logprobs");
}

TEST(EmbeddingRequest, TakesTheFourShapesAndBothEncodings) {
  EXPECT_EQ(parse_embedding(R"("input":[[1],[2]])")->inputs.size(), 2U);
  EXPECT_FALSE(parse_embedding(R"("input":"a")")->base64);
  EXPECT_TRUE(parse_embedding(R"("input":"a","encoding_format":"base64")")->base64);
  EXPECT_FALSE(parse_embedding(R"("input":["a"],"encoding_format":"float")")->base64);
}

TEST(EmbeddingRequest, RefusesWhatIsWrong) {
  EXPECT_EQ(param_of(parse_embedding(R"("x":1)")), "input");
  EXPECT_EQ(param_of(parse_embedding(R"("input":"")")), "input");
  EXPECT_EQ(param_of(parse_embedding(R"("input":["a",""])")), "input[1]");
  EXPECT_EQ(param_of(parse_embedding(R"("input":"a","encoding_format":"int8")")),
            "encoding_format");
  EXPECT_EQ(param_of(parse_embedding(R"("input":"a","dimensions":0)")), "dimensions");
}

}  // namespace
}  // namespace loam::api
