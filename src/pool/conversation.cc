#include "pool/conversation.h"

#include <algorithm>
#include <utility>

#include "codec/json.h"
#include "codec/members.h"

namespace loam::pool {
namespace {

/// Shorter ones stand in conversations that have nothing to do with each other. Chosen.
constexpr std::size_t kQuoteBytes = 16;

/// Of a message's content: a text, or parts of which some are.
std::string text_of(const codec::Value& content) {
  if (content.as_string() != nullptr) return *content.as_string();
  std::string out;
  if (content.as_array() != nullptr)
    for (const codec::Value& part : *content.as_array()) out += codec::text_at(part, "text");
  return out;
}

std::vector<std::string> all_of(const Said& said) {
  std::vector<std::string> out = said.prompt;
  out.push_back(said.answer);
  return out;
}

bool starts_with(const std::vector<std::string>& whole, const std::vector<std::string>& part) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

Said said_in(std::string_view prompt_json, std::string answer) {
  Said out{{}, std::move(answer)};
  const auto prompt = codec::parse_json(prompt_json);
  if (!prompt) return out;
  if (prompt->as_string() != nullptr) out.prompt.push_back(*prompt->as_string());
  if (prompt->as_array() == nullptr) return out;
  for (const codec::Value& message : *prompt->as_array()) {
    const std::string role = codec::text_at(message, "role");
    const codec::Value* content = message.find("content");
    if (content != nullptr && role != "system" && role != "developer")
      out.prompt.push_back(text_of(*content));
  }
  return out;
}

bool shares_words(const Said& other, const Said& gone) {
  const std::vector<std::string> here = all_of(other);
  if (!gone.prompt.empty() && starts_with(here, gone.prompt)) return true;
  if (!other.prompt.empty() && starts_with(all_of(gone), here)) return true;
  const auto quoted = [&](std::string_view words) {
    return words.size() >= kQuoteBytes &&
           std::ranges::any_of(here, [&](const std::string& text) { return text.contains(words); });
  };
  return quoted(gone.answer) || (!gone.prompt.empty() && quoted(gone.prompt.back()));
}

}  // namespace loam::pool
