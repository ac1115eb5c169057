#include "api/chat_request.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace loam::api {
namespace {

ApiResult<ChatRequest> parse(const std::string& body) {
  return parse_chat_request(LOAM_TRY(parse_object(body)));
}

/// A request with `fields` beside what must be there.
ApiResult<ChatRequest> parse_with(const std::string& fields) {
  return parse(R"({"model":"m","messages":[{"role":"user","content":"hi"}])" +
               (fields.empty() ? "" : "," + fields) + "}");
}

ApiResult<ChatRequest> parse_message(const std::string& message) {
  return parse(R"({"model":"m","messages":[)" + message + "]}");
}

std::string param_of(const ApiResult<ChatRequest>& result) {
  if (result.has_value()) return "accepted";
  EXPECT_EQ(result.error().status, 400);
  return result.error().param.value_or("null");
}

TEST(ChatRequest, TheLeastRequestHasOpenAisDefaults) {
  const auto request = parse_with("");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->generation.model, "m");
  EXPECT_EQ(request->generation.sampling, engine::SamplingParams());
  EXPECT_EQ(request->generation.n, 1U);
  EXPECT_FALSE(request->generation.stream);
  EXPECT_FALSE(request->generation.tokens_max.has_value());
  EXPECT_FALSE(request->generation.top_logprobs.has_value());
  EXPECT_TRUE(request->generation.keep_answer);
  ASSERT_EQ(request->messages.size(), 1U);
  EXPECT_EQ(request->messages[0].role, "user");
  EXPECT_EQ(request->messages_json, R"([{"role":"user","content":"hi"}])");
}

TEST(ChatRequest, ReadsEverySamplingFieldInUnitsOfAMillionth) {
  const auto request = parse_with(
      R"("temperature":0.7,"top_p":0.95,"top_k":40,"min_p":0.05,"repetition_penalty":1.1,)"
      R"("presence_penalty":-0.5,"frequency_penalty":2,"logit_bias":{"7":-100,"5":0.0000004,"3":1.5},)"
      R"("seed":-3,"n":4,"max_completion_tokens":9,"stop":["a","b"],"logprobs":true,)"
      R"("top_logprobs":20,"ignore_eos":true,"keep_alive":"5m","store":false)");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const GenerationFields& fields = request->generation;
  EXPECT_EQ(fields.sampling.temperature, 700'000);
  EXPECT_EQ(fields.sampling.top_p, 950'000);
  EXPECT_EQ(fields.sampling.top_k, 40);
  EXPECT_EQ(fields.sampling.min_p, 50'000);
  EXPECT_EQ(fields.sampling.repetition_penalty, 1'100'000);
  EXPECT_EQ(fields.sampling.presence_penalty, -500'000);
  EXPECT_EQ(fields.sampling.frequency_penalty, 2'000'000);
  const std::vector<std::pair<engine::TokenId, std::int64_t>> bias = {
      {3, 1'500'000}, {5, 0}, {7, -100'000'000}};
  EXPECT_EQ(fields.sampling.logit_bias, bias);
  EXPECT_EQ(fields.seed, -3);
  EXPECT_EQ(fields.n, 4U);
  EXPECT_EQ(fields.tokens_max, 9U);
  EXPECT_EQ(fields.tokens_max_name, "max_completion_tokens");
  EXPECT_EQ(fields.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fields.top_logprobs, 20U);
  EXPECT_TRUE(fields.ignore_eos);
  EXPECT_EQ(fields.keep_alive_s, 300);
  EXPECT_FALSE(fields.keep_answer);
}

TEST(ChatRequest, NullIsTheSameAsAbsent) {
  EXPECT_TRUE(parse_with(R"("temperature":null,"stop":null,"seed":null,"stream_options":null,)"
                         R"("tools":null,"response_format":null,"logit_bias":null)")
                  .has_value());
}

TEST(ChatRequest, AWholeNumberMayBeWrittenWithAPoint) {
  EXPECT_EQ(parse_with(R"("max_tokens":16.0)")->generation.tokens_max, 16U);
  EXPECT_EQ(param_of(parse_with(R"("max_tokens":16.5)")), "max_tokens");
}

TEST(ChatRequest, ValuesOutOfRangeAreNamed) {
  for (const auto& [fields, param] : std::vector<std::pair<std::string, std::string>>{
           {R"("n":1000000000)", "n"},
           {R"("n":0)", "n"},
           {R"("n":-1)", "n"},
           {R"("n":"2")", "n"},
           {R"("n":1e300)", "n"},
           {R"("temperature":2.1)", "temperature"},
           {R"("temperature":-0.1)", "temperature"},
           {R"("temperature":"hot")", "temperature"},
           {R"("top_p":1.01)", "top_p"},
           {R"("min_p":-1)", "min_p"},
           {R"("top_k":-2)", "top_k"},
           {R"("repetition_penalty":0)", "repetition_penalty"},
           {R"("presence_penalty":2.5)", "presence_penalty"},
           {R"("frequency_penalty":-2.5)", "frequency_penalty"},
           {R"("max_tokens":0)", "max_tokens"},
           {R"("max_tokens":-5)", "max_tokens"},
           {R"("max_completion_tokens":1e30)", "max_completion_tokens"},
           {R"("top_logprobs":3)", "top_logprobs"},
           {R"("logprobs":true,"top_logprobs":21)", "top_logprobs"},
           {R"("logprobs":1)", "logprobs"},
           {R"("seed":1.5)", "seed"},
           {R"("seed":99999999999999999999999)", "seed"},
           {R"("stop":[])", "accepted"},
           {R"("stop":"")", "stop"},
           {R"("stop":["a",1])", "stop"},
           {R"("stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])",
            "stop"},
           {R"("logit_bias":{"x":1})", "logit_bias"},
           {R"("logit_bias":{"1":101})", "logit_bias"},
           {R"("logit_bias":{"1":"1"})", "logit_bias"},
           {R"("logit_bias":{"-1":1})", "logit_bias"},
           {R"("logit_bias":{"1":1,"01":1})", "logit_bias"},
           {R"("logit_bias":[])", "logit_bias"},
           {R"("stream":"yes")", "stream"},
           {R"("stream_options":{"include_usage":true})", "stream_options"},
           {R"("stream":true,"stream_options":{"include_usage":1})",
            "stream_options.include_usage"},
           {R"("stream":true,"stream_options":7)", "stream_options"},
           {R"("keep_alive":"soon")", "keep_alive"},
           {R"("keep_alive":-2)", "keep_alive"},
       })
    EXPECT_EQ(param_of(parse_with(fields)), param) << fields;
}

TEST(ChatRequest, KnownFieldsThatAreNotOfferedAreRefusedByName) {
  for (const auto& [fields, param] : std::vector<std::pair<std::string, std::string>>{
           {R"("tools":[{"type":"function"}])", "tools"},
           {R"("tool_choice":"auto")", "tool_choice"},
           {R"("tool_choice":{"type":"function"})", "tool_choice"},
           {R"("functions":[{}])", "functions"},
           {R"("function_call":"auto")", "function_call"},
           {R"("response_format":{"type":"json_object"})", "response_format"},
           {R"("response_format":{"type":"json_schema","json_schema":{}})", "response_format"},
           {R"("modalities":["text","audio"])", "modalities"},
           {R"("audio":{})", "audio"},
           {R"("prediction":{})", "prediction"},
           {R"("web_search_options":{})", "web_search_options"},
           {R"("store":true)", "store"},
           {R"("service_tier":"flex")", "service_tier"},
           {R"("reasoning_effort":"high")", "reasoning_effort"},
           {R"("verbosity":"low")", "verbosity"},
           {R"("grammar":"root ::= x")", "grammar"},
           {R"("guided_json":{"type":"object"})", "guided_json"},
           {R"("chat_template_kwargs":{"x":1})", "chat_template_kwargs"},
           {R"("stream":true,"stream_options":{"include_obfuscation":true})",
            "stream_options.include_obfuscation"},
       })
    EXPECT_EQ(param_of(parse_with(fields)), param) << fields;
}

TEST(ChatRequest, FieldsThatAskForNothingAndUnknownOnesPass) {
  EXPECT_TRUE(
      parse_with(R"("tools":[],"tool_choice":"none","response_format":{"type":"text"},)"
                 R"("modalities":["text"],"service_tier":"auto","user":"u","metadata":{"a":"b"},)"
                 R"("safety_identifier":"s","prompt_cache_key":"k","parallel_tool_calls":true,)"
                 R"("reasoning_effort":"none","verbosity":"medium","suffix":"","xyz":[1,2,3])")
          .has_value());
}

TEST(ChatRequest, TheModelMustBeNamed) {
  const std::string messages = R"("messages":[{"role":"user","content":"hi"}])";
  EXPECT_EQ(param_of(parse("{" + messages + "}")), "model");
  EXPECT_EQ(param_of(parse(R"({"model":"",)" + messages + "}")), "model");
  EXPECT_EQ(param_of(parse(R"({"model":7,)" + messages + "}")), "model");
  EXPECT_EQ(param_of(parse(R"({"model":")" + std::string(300, 'm') + "\"," + messages + "}")),
            "model");
}

TEST(ChatRequest, MessagesMustBeThere) {
  EXPECT_EQ(param_of(parse(R"({"model":"m"})")), "messages");
  EXPECT_EQ(param_of(parse(R"({"model":"m","messages":[]})")), "messages");
  EXPECT_EQ(param_of(parse(R"({"model":"m","messages":"hi"})")), "messages");
  EXPECT_EQ(param_of(parse_message("7")), "messages[0]");
  EXPECT_EQ(param_of(parse_message(R"({"content":"x"})")), "messages[0].role");
  EXPECT_EQ(param_of(parse_message(R"({"role":"boss","content":"x"})")), "messages[0].role");
  EXPECT_EQ(param_of(parse_message(R"({"role":"user"})")), "messages[0].content");
  EXPECT_EQ(param_of(parse_message(R"({"role":"user","content":null})")), "messages[0].content");
  EXPECT_EQ(param_of(parse_message(R"({"role":"user","content":[]})")), "messages[0].content");
  EXPECT_EQ(param_of(parse_message(R"({"role":"user","content":5})")), "messages[0].content");
  EXPECT_EQ(param_of(parse_message(R"({"role":"user","content":"a"},{"role":"user"})")),
            "messages[1].content");
}

TEST(ChatRequest, DeveloperIsSystem) {
  EXPECT_EQ(parse_message(R"({"role":"developer","content":"x"})")->messages[0].role, "system");
}

TEST(ChatRequest, TextPartsAreJoined) {
  const auto request = parse_message(
      R"({"role":"user","name":"Ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->messages[0].content, "a\nb");
  EXPECT_EQ(request->messages[0].name, "Ann");
}

TEST(ChatRequest, PartsThatAreNotTextAreRefused) {
  for (const char* type : {"image_url", "input_audio", "file", "hologram"}) {
    const auto request =
        parse_message(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":")" +
                      std::string(type) + R"("}]})");
    EXPECT_TRUE(param_of(request).starts_with("messages[0].content[1]")) << type;
  }
  EXPECT_EQ(param_of(parse_message(R"({"role":"user","content":[{"type":"text"}]})")),
            "messages[0].content[0].text");
}

TEST(ChatRequest, ToolCallsInTheHistoryAreRefused) {
  EXPECT_EQ(
      param_of(parse_message(R"({"role":"assistant","content":null,"tool_calls":[{"id":"1"}]})")),
      "messages[0].tool_calls");
  EXPECT_TRUE(parse_message(R"({"role":"assistant","content":"x","tool_calls":[]})").has_value());
}

TEST(ChatRequest, WhatIsNoJsonObjectIsRefused) {
  for (const std::string& body :
       {std::string(), std::string("  "), std::string("[]"), std::string("\"x\""), std::string("{"),
        std::string("{} {}"), std::string("{\"a\":\"\xff\"}"), std::string(R"({"a":"\ud800"})"),
        std::string(1000, '[')}) {
    const auto request = parse(body);
    ASSERT_FALSE(request.has_value());
    EXPECT_EQ(request.error().status, 400) << body;
  }
}

}  // namespace
}  // namespace loam::api
