#include "api/logprobs.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::api {
namespace {

// OpenAI's word for "very unlikely": JSON has no infinity.
constexpr double kUnlikely = -9999.0;

double number_of(float logprob) {
  return std::isfinite(logprob) ? static_cast<double>(logprob) : kUnlikely;
}

codec::Value byte_list(std::string_view bytes) {
  codec::Array out;
  out.reserve(bytes.size());
  for (const char c : bytes) out.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return out;
}

codec::Object token_entry(std::string_view bytes, float logprob) {
  return codec::Object{{"token", replace_invalid_utf8(bytes)},
                       {"logprob", number_of(logprob)},
                       {"bytes", byte_list(bytes)}};
}

/// The best tokens by name; of two with the same text, the likelier one.
codec::Object top_by_text(const engine::TokenInfo& token) {
  codec::Object out;
  const auto put = [&](std::string_view bytes, float logprob) {
    std::string name = token_text(bytes);
    const auto same = [&](const codec::Member& member) { return member.first == name; };
    if (std::ranges::none_of(out, same)) out.emplace_back(std::move(name), number_of(logprob));
  };
  for (std::size_t i = 0; i < token.top.size() && i < token.top_bytes.size(); ++i)
    put(token.top_bytes[i], token.top[i].logprob);
  put(token.bytes, token.logprob);
  return out;
}

}  // namespace

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string token_text(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string out = "bytes:";
  for (const char c : bytes) out += format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

codec::Value chat_logprobs(std::span<const engine::TokenInfo> tokens) {
  codec::Array content;
  content.reserve(tokens.size());
  for (const engine::TokenInfo& token : tokens) {
    codec::Object entry = token_entry(token.bytes, token.logprob);
    codec::Array top;
    for (std::size_t i = 0; i < token.top.size() && i < token.top_bytes.size(); ++i)
      top.emplace_back(token_entry(token.top_bytes[i], token.top[i].logprob));
    entry.emplace_back("top_logprobs", std::move(top));
    content.emplace_back(std::move(entry));
  }
  return codec::Object{{"content", std::move(content)}, {"refusal", nullptr}};
}

codec::Value completion_logprobs(std::span<const engine::TokenInfo> tokens, std::size_t text_offset,
                                 bool begins_with_prompt) {
  codec::Array names;
  codec::Array logprobs;
  codec::Array tops;
  codec::Array offsets;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool has_none = begins_with_prompt && i == 0;
    names.emplace_back(token_text(tokens[i].bytes));
    logprobs.emplace_back(has_none ? 0.0 : number_of(tokens[i].logprob));
    tops.emplace_back(has_none ? codec::Object() : top_by_text(tokens[i]));
    offsets.emplace_back(static_cast<std::uint64_t>(text_offset));
    text_offset += count_code_points(tokens[i].bytes);
  }
  return codec::Object{{"tokens", std::move(names)},
                       {"token_logprobs", std::move(logprobs)},
                       {"top_logprobs", std::move(tops)},
                       {"text_offset", std::move(offsets)}};
}

}  // namespace loam::api
