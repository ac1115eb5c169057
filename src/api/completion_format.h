// Replies of POST /v1/completions.
#pragma once

#include "api/reply_format.h"

namespace loam::api {

class CompletionFormat final : public ReplyFormat {
 public:
  /// `with_logprobs` as in ChatFormat; `with_echo`: texts begin with the prompt. The usage stands
  /// in the last chunk only: the published schema has no null for it here.
  CompletionFormat(bool with_logprobs, bool with_echo)
      : with_logprobs_(with_logprobs), with_echo_(with_echo) {}

  std::string_view operation() const override { return "text_completion"; }
  const char* id_prefix() const override { return "cmpl-"; }
  // So that a prompt's logprobs are always followed by those of all generated tokens.
  bool shows_end_token() const override { return true; }
  codec::Value opening(const ReplyHead& head, std::uint32_t index) const override;
  codec::Value chunk(const ReplyHead& head, const ChunkPart& part) const override;
  codec::Value usage_chunk(const ReplyHead& head, const Usage& usage) const override;
  codec::Value whole(const ReplyHead& head, std::span<const ChoiceText> choices,
                     const Usage& usage) const override;

 private:
  bool with_logprobs_;
  bool with_echo_;
};

}  // namespace loam::api
