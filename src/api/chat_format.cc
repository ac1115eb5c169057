#include "api/chat_format.h"

#include "api/logprobs.h"

namespace loam::api {
namespace {

codec::Object chunk_choice(std::uint32_t index, codec::Object delta) {
  return codec::Object{{"index", index},
                       {"delta", std::move(delta)},
                       {"logprobs", nullptr},
                       {"finish_reason", nullptr}};
}

}  // namespace

codec::Value ChatFormat::frame(const ReplyHead& head, codec::Array choices) const {
  codec::Object out{{"id", head.id},
                    {"object", "chat.completion.chunk"},
                    {"created", head.created_s},
                    {"model", head.model},
                    {"system_fingerprint", head.fingerprint},
                    {"choices", std::move(choices)}};
  if (with_usage_) out.emplace_back("usage", nullptr);
  return out;
}

codec::Value ChatFormat::opening(const ReplyHead& head, std::uint32_t index) const {
  return frame(head, {chunk_choice(index, {{"role", "assistant"}, {"content", ""}})});
}

codec::Value ChatFormat::chunk(const ReplyHead& head, const ChunkPart& part) const {
  codec::Object delta;
  if (!part.text.empty() || !part.tokens.empty()) delta.emplace_back("content", part.text);
  codec::Value choice = chunk_choice(part.index, std::move(delta));
  if (with_logprobs_ && !part.tokens.empty()) choice.set("logprobs", chat_logprobs(part.tokens));
  choice.set("finish_reason", finish_value(part.finish));
  return frame(head, {std::move(choice)});
}

codec::Value ChatFormat::usage_chunk(const ReplyHead& head, const Usage& usage) const {
  codec::Value out = frame(head, {});
  out.set("usage", usage_value(usage));
  return out;
}

codec::Value ChatFormat::whole(const ReplyHead& head, std::span<const ChoiceText> choices,
                               const Usage& usage) const {
  codec::Array list;
  for (const ChoiceText& choice : choices)
    list.emplace_back(codec::Object{
        {"index", choice.index},
        {"message",
         codec::Object{{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}}},
        {"logprobs", with_logprobs_ ? chat_logprobs(choice.tokens) : codec::Value()},
        {"finish_reason", finish_value(choice.finish)}});
  return codec::Object{{"id", head.id},
                       {"object", "chat.completion"},
                       {"created", head.created_s},
                       {"model", head.model},
                       {"system_fingerprint", head.fingerprint},
                       {"choices", std::move(list)},
                       {"usage", usage_value(usage)}};
}

}  // namespace loam::api
