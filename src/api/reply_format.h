// How a route writes what was generated: whole, or in chunks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "engine/types.h"

namespace loam::api {

/// What every reply and chunk of one request carries.
struct ReplyHead {
  std::string id;
  std::int64_t created_s = 0;
  std::string model;
  std::string fingerprint;
  std::string submission;  // the id under which the answer will be shared; empty: it is private
};

/// One choice as far as it has come.
struct ChoiceText {
  std::uint32_t index = 0;
  std::string text;                       // echo included
  std::size_t echo_bytes = 0;             // of `text`, the prompt's
  std::vector<engine::TokenInfo> tokens;  // of `text`; empty unless logprobs are wanted
  std::optional<engine::FinishReason> finish;
};

enum class TextOf { kPrompt, kAnswer };

/// A piece of one choice in a stream.
struct ChunkPart {
  std::uint32_t index = 0;
  std::string_view text;
  std::span<const engine::TokenInfo> tokens;
  std::size_t text_offset = 0;  // code points of the choice's text before this piece
  TextOf of = TextOf::kAnswer;
  std::optional<engine::FinishReason> finish;
};

struct Usage {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;
  std::uint32_t output_tokens = 0;
};

class ReplyFormat {
 public:
  virtual ~ReplyFormat() = default;
  /// "chat" or "text_completion", for figures.
  virtual std::string_view operation() const = 0;
  /// What the first id begins with: "chatcmpl-".
  virtual const char* id_prefix() const = 0;
  /// Whether logprobs list the token that ended the answer, though it has no text.
  virtual bool shows_end_token() const = 0;
  /// The chunk that opens a choice; null if the format has none.
  virtual codec::Value opening(const ReplyHead& head, std::uint32_t index) const = 0;
  virtual codec::Value chunk(const ReplyHead& head, const ChunkPart& part) const = 0;
  /// The last chunk, which has no choices.
  virtual codec::Value usage_chunk(const ReplyHead& head, const Usage& usage) const = 0;
  virtual codec::Value whole(const ReplyHead& head, std::span<const ChoiceText> choices,
                             const Usage& usage) const = 0;
};

/// "stop" or "length"; null while there is none.
codec::Value finish_value(const std::optional<engine::FinishReason>& finish);
codec::Value usage_value(const Usage& usage);

}  // namespace loam::api
