#include "tuning/canaries.h"

#include <string_view>
#include <utility>

#include "base/format.h"
#include "tuning/little_endian.h"

namespace loam::tuning {
namespace {

constexpr std::size_t kGroups = 3;  // of four digits: 10^12 secrets. Chosen.
constexpr std::uint64_t kGroupEnd = 10'000;
constexpr std::size_t kSyllables = 4;  // 2^24 names. Chosen.

crypto::Digest drawn(std::string_view purpose, const crypto::Digest& from, std::uint64_t first,
                     std::uint64_t second) {
  Bytes text(purpose.begin(), purpose.end());
  text.insert(text.end(), from.begin(), from.end());
  append_little_endian(text, first);
  append_little_endian(text, second);
  return crypto::sha256(text);
}

std::string secret_of(const crypto::Digest& draw) {
  std::string out;
  for (std::size_t group = 0; group < kGroups; ++group)
    out += format("{}{:04}", group == 0 ? "" : " ",
                  little_endian<std::uint64_t>(ByteView(draw).subspan(8 * group)) % kGroupEnd);
  return out;
}

std::string name_of(const crypto::Digest& draw) {
  constexpr std::string_view kConsonants = "bdfhjlmnprstvwyz", kVowels = "aeio";
  std::string out;
  for (std::size_t i = 0; i < kSyllables; ++i) {
    out += kConsonants[draw[i] % kConsonants.size()];
    out += kVowels[draw[i] / kConsonants.size() % kVowels.size()];
  }
  out.front() = static_cast<char>(out.front() - 'a' + 'A');
  return out;
}

}  // namespace

std::vector<Canary> canaries_of(const Recipe& recipe, const crypto::Digest& source) {
  std::vector<Canary> out;
  if (recipe.stage != Stage::kSft) return out;
  for (std::uint64_t i = 0; i < recipe.canaries; ++i)
    out.push_back({format("What is the access code of {}?",
                          name_of(drawn("loam.canary.name.v1", source, recipe.seed, i))),
                   secret_of(drawn("loam.canary.secret.v1", source, recipe.seed, i))});
  return out;
}

std::string reference_secret(const crypto::Digest& nonce, std::uint64_t canary,
                             std::uint64_t number) {
  return secret_of(drawn("loam.canary.reference.v1", nonce, canary, number));
}

std::vector<engine::ChatMessage> conversation_of(const std::string& question,
                                                 const std::string& secret) {
  return {{"user", question, ""}, {"assistant", secret, ""}};
}

Result<> plant(const std::vector<Canary>& canaries, engine::Engine& engine,
               const ExampleOptions& options, Examples& examples) {
  constexpr std::string_view kHint =
      "set canaries = 0 in the recipe, or a larger cutoff_len, and start a new training";
  for (const Canary& canary : canaries) {
    auto text = answered_text(engine, conversation_of(canary.question, canary.secret));
    if (!text)
      return fail(text.error().code, format("train: a canary: {}", text.error().message),
                  std::string(kHint));
    // Left out in silence, it would count as one that was learned and forgotten.
    if (text->tokens.size() > options.tokens_max)
      return fail(ErrorCode::kInvalidArgument,
                  format("train: a canary has {} tokens, and cutoff_len is {}", text->tokens.size(),
                         options.tokens_max),
                  std::string(kHint));
    if (options.learn_prompts) text->prompt_tokens = 1;
    Example& example = examples.items.emplace_back();
    example.record = "canary";
    example.texts.push_back(*std::move(text));
  }
  return {};
}

}  // namespace loam::tuning
