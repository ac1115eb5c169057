// Log-probabilities of tokens in the two forms that OpenAI's routes have.
#pragma once

#include <cstddef>
#include <span>

#include "codec/value.h"
#include "engine/types.h"

namespace loam::api {

/// {content: [{token, logprob, bytes, top_logprobs}], refusal: null}
codec::Value chat_logprobs(std::span<const engine::TokenInfo> tokens);

/// {tokens, token_logprobs, top_logprobs, text_offset}; offsets count code points from
/// `text_offset` on. A token always stands in its own top_logprobs. A prompt's first token has no
/// probability; the published schema wants a number for it: it gets 0 and an empty dictionary.
codec::Value completion_logprobs(std::span<const engine::TokenInfo> tokens, std::size_t text_offset,
                                 bool begins_with_prompt);

/// Code points in UTF-8 text; broken bytes count as those that continue do not.
std::size_t count_code_points(std::string_view text);

/// A token's bytes as text: as they are if they are UTF-8, else "bytes:\xe2\x80", so that different
/// tokens keep different names.
std::string token_text(std::string_view bytes);

}  // namespace loam::api
