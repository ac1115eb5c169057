#include "engine/protocol.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codec/cbor.h"

namespace loam::engine::protocol {
namespace {

using codec::Object;
using codec::Value;

GenerateRequest some_request() {
  GenerateRequest r;
  r.id = RequestId{7};
  r.prompt = {1, 2, 300'000};
  r.sampling.temperature = 700'000;
  r.sampling.top_k = 40;
  r.sampling.logit_bias = {{2, -1'000'000}, {5, 9'000'000'000}};
  r.choice_seeds.resize(2);
  r.choice_seeds[0].fill(0xab);
  r.choice_seeds[1].fill(0x01);
  r.tokens_max = 64;
  r.stop = {"\n\n", "Ende"};
  r.ignore_eos = true;
  r.top_logprobs = 3;
  r.prompt_logprobs = true;
  return r;
}

TokenInfo some_token() {
  TokenInfo t;
  t.token = 42;
  t.bytes = std::string("\xc3", 1);  // half a code point
  t.logprob = -0.25F;
  t.top = {{42, -0.25F}, {3, -std::numeric_limits<float>::infinity()}};
  t.top_bytes = {std::string("\xc3", 1), ""};
  return t;
}

/// Both ways, and that the bytes are the same again.
template <class Message, class Parse>
Message round_trip(const Message& message, Parse parse) {
  const Bytes bytes = encode(message);
  auto back = parse(bytes);
  EXPECT_TRUE(back.has_value()) << (back ? "" : back.error().message);
  if (!back) return {};
  EXPECT_EQ(to_hex(encode(*back)), to_hex(bytes));
  return *back;
}
ToWorker over(const ToWorker& message) { return round_trip(message, parse_to_worker); }
FromWorker over(const FromWorker& message) { return round_trip(message, parse_from_worker); }

/// `message` as a map in which one member is replaced, added, or (null) taken away.
Bytes changed(const FromWorker& message, const std::string& name, const Value& value) {
  const Value map = *codec::parse_cbor(encode(message));
  Object out;
  for (const auto& [key, old] : *map.as_object())
    if (key != name) out.emplace_back(key, old);
  if (!value.is_null()) out.emplace_back(name, value);
  return codec::to_cbor(Value(out));
}

TEST(Protocol, GoldenBytesOfHello) {
  // {"type": "hello", "version": 2}
  EXPECT_EQ(to_hex(encode(ToWorker(Hello{}))), "a264747970656568656c6c6f6776657273696f6e02");
}

TEST(Protocol, GoldenBytesOfACancelledRequest) {
  // {"id": 258, "type": "cancel"}
  EXPECT_EQ(to_hex(encode(ToWorker(Cancel{RequestId{258}}))),
            "a2626964190102647479706566"
            "63616e63656c");
}

TEST(Protocol, GoldenBytesOfADelta) {
  TokenInfo token;
  token.token = 258;
  token.bytes = "é";
  token.logprob = -0.5F;
  const Delta delta{1, "é", {token}};
  EXPECT_EQ(to_hex(encode(FromWorker(RequestEvent{RequestId{9}, delta}))),
            "a6"
            "62696409"                      // "id": 9
            "646b696e646564656c7461"        // "kind": "delta"
            "647465787462c3a9"              // "text": "é"
            "6474797065656576656e74"        // "type": "event"
            "6663686f69636501"              // "choice": 1
            "66746f6b656e73a9"              // "tokens": a table of nine columns
            "6269644402010000"              //   "id": 258
            "65627974657342c3a9"            //   "bytes"
            "666c656e6774684402000000"      //   "length": 2
            "66746f705f696440"              //   "top_id": none
            "676c6f6770726f6244000000bf"    //   "logprob": -0.5
            "69746f705f627974657340"        //   "top_bytes": none
            "69746f705f636f756e744100"      //   "top_count": 0
            "6a746f705f6c656e67746840"      //   "top_length": none
            "6b746f705f6c6f6770726f6240");  //   "top_logprob": none
}

TEST(Protocol, GenerateSurvivesTheTrip) {
  const auto back = std::get<Generate>(over(ToWorker(Generate{some_request()}))).request;
  const GenerateRequest sent = some_request();
  EXPECT_EQ(back.id, sent.id);
  EXPECT_EQ(back.prompt, sent.prompt);
  EXPECT_EQ(back.sampling, sent.sampling);
  EXPECT_EQ(back.choice_seeds, sent.choice_seeds);
  EXPECT_EQ(back.tokens_max, sent.tokens_max);
  EXPECT_EQ(back.stop, sent.stop);
  EXPECT_EQ(back.ignore_eos, sent.ignore_eos);
  EXPECT_EQ(back.top_logprobs, sent.top_logprobs);
  EXPECT_EQ(back.prompt_logprobs, sent.prompt_logprobs);
}

TEST(Protocol, AllMessagesToAWorkerSurviveTheTrip) {
  Load load;
  load.options.context = 128;
  load.fake = true;
  load.fake_step_ms = 5;
  load.memory_bytes_max = 1ULL << 40;
  const auto back = std::get<Load>(over(ToWorker(load)));
  EXPECT_EQ(back.options, load.options);
  EXPECT_EQ(back.memory_bytes_max, load.memory_bytes_max);
  over(ToWorker(Tokenize{CallId{1}, "Grüße", SpecialTokens::kParse, true}));
  over(ToWorker(Detokenize{CallId{2}, {5, 6}}));
  over(ToWorker(Render{CallId{3}, {{"user", "hello", ""}, {"assistant", "", "bot"}}, true}));
  over(ToWorker(Embed{CallId{4}, {{1, 2}, {}}}));
  over(ToWorker(Adapter{}));
  over(ToWorker(Shutdown{}));
}

TEST(Protocol, AllMessagesFromAWorkerSurviveTheTrip) {
  ModelInfo info;
  info.architecture = "llama";
  info.context = 64;
  info.sequences_max = 2;
  info.vocabulary = 260;
  info.end_tokens = {257};
  info.has_chat_template = true;
  info.chat_template = "{{ x }}";
  const auto back = std::get<Loaded>(over(FromWorker(Loaded{info}))).info;
  EXPECT_EQ(back.vocabulary, 260U);
  EXPECT_EQ(back.end_tokens, info.end_tokens);
  over(FromWorker(LoadFailed{{ErrorCode::kCorrupt, "bad magic", "hint"}}));
  over(FromWorker(CallStarted{CallId{1}}));
  over(FromWorker(Tokenized{CallId{1}, {1, 2, 3}}));
  over(FromWorker(Detokenized{CallId{1}, std::string("\xff\0x", 3)}));
  over(FromWorker(Rendered{CallId{1}, {"text", {1}, {"</s>"}}}));
  over(FromWorker(Embedded{CallId{1}, {{{0.6F, 0.8F}, 3}}}));
  over(FromWorker(CallFailed{CallId{1}, {ErrorCode::kInternal, "no"}}));
  over(FromWorker(Stats{{1, 2, 3, 4, 5, 6, 7}}));
  const RequestId id{3};
  over(FromWorker(RequestEvent{id, PromptScored{{some_token(), some_token()}}}));
  over(FromWorker(RequestEvent{id, ChoiceDone{1, FinishReason::kLength, {5, 6}, {-1, -32768}}}));
  over(FromWorker(RequestEvent{id, RequestDone{1, 2, 3, 0.5, 1, 2}}));
  over(FromWorker(RequestEvent{id, RequestFailed{{ErrorCode::kUnavailable, "gone"}}}));
}

TEST(Protocol, TokensKeepTheirBytesAndAlternatives) {
  const auto back = std::get<RequestEvent>(
      over(FromWorker(RequestEvent{RequestId{1}, Delta{0, "", {some_token()}}})));
  const TokenInfo token = std::get<Delta>(back.event).tokens.at(0);
  EXPECT_EQ(token.bytes, some_token().bytes);
  EXPECT_EQ(token.top_bytes, some_token().top_bytes);
  EXPECT_EQ(token.top.at(1).token, 3);
  EXPECT_TRUE(std::isinf(token.top.at(1).logprob));
}

TEST(Protocol, RefusesAFieldTooManyTooFewOrOfTheWrongType) {
  const FromWorker message = CallStarted{CallId{1}};
  ASSERT_TRUE(parse_from_worker(encode(message)));
  EXPECT_FALSE(parse_from_worker(changed(message, "extra", 1)));
  EXPECT_FALSE(parse_from_worker(changed(message, "id", nullptr)));
  EXPECT_FALSE(parse_from_worker(changed(message, "id", "1")));
  EXPECT_FALSE(parse_from_worker(changed(message, "id", -1)));
  EXPECT_FALSE(parse_from_worker(changed(message, "type", "surprise")));
  EXPECT_FALSE(parse_from_worker(changed(message, "type", nullptr)));
  EXPECT_FALSE(parse_from_worker(codec::to_cbor(Value(codec::Array{}))));
  EXPECT_FALSE(parse_from_worker({}));
}

TEST(Protocol, SaysWhichFieldIsWrong) {
  const auto parsed = parse_from_worker(changed(CallStarted{CallId{1}}, "id", "1"));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(parsed.error().message.find("call_started"), std::string::npos);
  EXPECT_NE(parsed.error().message.find("id"), std::string::npos);
}

TEST(Protocol, MessagesOfTheOtherDirectionAreUnknown) {
  EXPECT_FALSE(parse_from_worker(encode(ToWorker(Cancel{RequestId{1}}))));
  EXPECT_FALSE(parse_to_worker(encode(FromWorker(CallStarted{CallId{1}}))));
}

TEST(Protocol, RefusesColumnsThatDoNotFitTogether) {
  const FromWorker done = RequestEvent{RequestId{1}, ChoiceDone{0, FinishReason::kStop, {5}, {1}}};
  EXPECT_FALSE(parse_from_worker(changed(done, "lp16", Bytes{})));
  EXPECT_FALSE(parse_from_worker(changed(done, "tokens", Bytes{1, 2, 3})));
  EXPECT_FALSE(parse_from_worker(changed(done, "tokens", Bytes{0, 0, 0, 0x80})));  // negative

  const FromWorker delta = RequestEvent{RequestId{1}, Delta{0, "", {some_token()}}};
  const Value map = *codec::parse_cbor(encode(delta));
  for (const auto& [column, bytes] : *map.find("tokens")->as_object()) {
    Value table = *map.find("tokens");
    Bytes longer = *bytes.as_bytes();
    longer.insert(longer.end(), {1, 0, 0, 0});
    table.set(column, longer);
    EXPECT_FALSE(parse_from_worker(changed(delta, "tokens", table))) << column;
  }
}

TEST(Protocol, RefusesNumbersThatAreNone) {
  TokenInfo token = some_token();
  token.logprob = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(
      parse_from_worker(encode(FromWorker(RequestEvent{RequestId{1}, Delta{0, "", {token}}}))));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(parse_from_worker(encode(FromWorker(Embedded{CallId{1}, {{{infinity}, 1}}}))));
  EXPECT_FALSE(parse_from_worker(encode(
      FromWorker(RequestEvent{RequestId{1}, RequestDone{0, 0, 0, double{infinity}, 0, 0}}))));
}

TEST(Protocol, RefusesAModelWithoutVocabularyAndAnUnknownErrorCode) {
  EXPECT_FALSE(parse_from_worker(encode(FromWorker(Loaded{ModelInfo{}}))));
  EXPECT_FALSE(parse_from_worker(
      changed(CallFailed{CallId{1}, {ErrorCode::kInternal, "x"}}, "code", "sorry")));
}

TEST(Protocol, RefusesARequestWithoutChoicesOrWithAnUnsortedBias) {
  GenerateRequest request = some_request();
  request.choice_seeds.clear();
  EXPECT_FALSE(parse_to_worker(encode(ToWorker(Generate{request}))));
  request = some_request();
  request.sampling.logit_bias = {{5, 1}, {5, 2}};
  EXPECT_FALSE(parse_to_worker(encode(ToWorker(Generate{request}))));
}

TEST(Protocol, BrokenTextOfAModelIsMendedAndALongErrorIsCut) {
  ModelInfo info;
  info.context = info.sequences_max = info.vocabulary = 1;
  info.description = "bad \xff name";
  const auto loaded = std::get<Loaded>(*parse_from_worker(encode(FromWorker(Loaded{info}))));
  EXPECT_EQ(loaded.info.description, "bad \xEF\xBF\xBD name");
  std::string longer;
  while (longer.size() < kErrorBytesMax + 100) longer += "é";
  const auto failed = std::get<LoadFailed>(
      *parse_from_worker(encode(FromWorker(LoadFailed{{ErrorCode::kCorrupt, "x" + longer}}))));
  EXPECT_EQ(failed.error.message.size(), kErrorBytesMax - 1);
}

TEST(Protocol, EveryCutOfAMessageIsRefused) {
  const Bytes whole = encode(FromWorker(RequestEvent{RequestId{1}, Delta{0, "a", {some_token()}}}));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_from_worker(ByteView(whole).first(size))) << size;
}

}  // namespace
}  // namespace loam::engine::protocol
