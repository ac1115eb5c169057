#include "api/completion_format.h"

#include "api/logprobs.h"

namespace loam::api {
namespace {

codec::Object frame(const ReplyHead& head, codec::Array choices) {
  return codec::Object{{"id", head.id},
                       {"object", "text_completion"},
                       {"created", head.created_s},
                       {"model", head.model},
                       {"system_fingerprint", head.fingerprint},
                       {"choices", std::move(choices)}};
}

}  // namespace

codec::Value CompletionFormat::opening(const ReplyHead&, std::uint32_t) const { return {}; }

codec::Value CompletionFormat::chunk(const ReplyHead& head, const ChunkPart& part) const {
  return frame(head,
               {codec::Object{{"index", part.index},
                              {"text", part.text},
                              {"logprobs", with_logprobs_ && !part.tokens.empty()
                                               ? completion_logprobs(part.tokens, part.text_offset,
                                                                     part.of == TextOf::kPrompt)
                                               : codec::Value()},
                              {"finish_reason", finish_value(part.finish)}}});
}

codec::Value CompletionFormat::usage_chunk(const ReplyHead& head, const Usage& usage) const {
  codec::Object out = frame(head, {});
  out.emplace_back("usage", usage_value(usage));
  return out;
}

codec::Value CompletionFormat::whole(const ReplyHead& head, std::span<const ChoiceText> choices,
                                     const Usage& usage) const {
  codec::Array list;
  for (const ChoiceText& choice : choices)
    list.emplace_back(codec::Object{
        {"index", choice.index},
        {"text", choice.text},
        {"logprobs",
         with_logprobs_ ? completion_logprobs(choice.tokens, 0, with_echo_) : codec::Value()},
        {"finish_reason", finish_value(choice.finish)}});
  codec::Object out = frame(head, std::move(list));
  out.emplace_back("usage", usage_value(usage));
  return out;
}

}  // namespace loam::api
