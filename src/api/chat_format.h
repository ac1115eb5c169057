// Replies of POST /v1/chat/completions.
#pragma once

#include "api/reply_format.h"

namespace loam::api {

class ChatFormat final : public ReplyFormat {
 public:
  /// `with_logprobs`: they were asked for; else the key is there and null.
  /// `with_usage`: in a stream, each chunk has the key `usage`.
  ChatFormat(bool with_logprobs, bool with_usage)
      : with_logprobs_(with_logprobs), with_usage_(with_usage) {}

  std::string_view operation() const override { return "chat"; }
  const char* id_prefix() const override { return "chatcmpl-"; }
  bool shows_end_token() const override { return false; }
  codec::Value opening(const ReplyHead& head, std::uint32_t index) const override;
  codec::Value chunk(const ReplyHead& head, const ChunkPart& part) const override;
  codec::Value usage_chunk(const ReplyHead& head, const Usage& usage) const override;
  codec::Value whole(const ReplyHead& head, std::span<const ChoiceText> choices,
                     const Usage& usage) const override;

 private:
  codec::Value frame(const ReplyHead& head, codec::Array choices) const;

  bool with_logprobs_;
  bool with_usage_;
};

}  // namespace loam::api
