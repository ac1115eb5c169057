// The twin of LlamaBackend: bytes as tokens, text from a hash, no weights.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/check.h"
#include "base/format.h"
#include "engine/backend.h"
#include "env/clock.h"

namespace loam::engine {
namespace {

// Tokens 0 to 255 are bytes.
constexpr TokenId kBos = 256;
constexpr TokenId kEos = 257;
constexpr TokenId kTurnEnd = 259;  // 258 begins a turn
constexpr std::size_t kVocabulary = 260;
constexpr std::array<std::string_view, 4> kSpecialTexts = {"<s>", "</s>", "<|im_start|>",
                                                           "<|im_end|>"};
constexpr std::uint32_t kContextTrained = 32768;
constexpr std::size_t kEmbeddingWidth = 64;
constexpr std::size_t kBatchMax = 2048;
constexpr std::size_t kHashedTokens = 12;  // that the next logits depend on, with the position

// What the fake talks about. Some words have code points of 2 to 4 bytes, hence as many tokens, so
// that whoever splits one shows it.
constexpr std::array<std::string_view, 48> kWords = {
    "the",   "a",     "tide",  "turns", "and",   "river", "keeps", "its",  "old",   "stone",
    "under", "grey",  "light", "while", "birds", "cross", "over",  "far",  "field", "rain",
    "falls", "soft",  "on",    "green", "leaf",  "then",  "small", "wind", "comes", "again",
    "to",    "carry", "seed",  "into",  "loam",  "where", "roots", "wait", "for",   "spring",
    "in",    "café",  "naïve", "déjà",  "żółw",  "東京",  "🌊",    "Ωμέγα"};

std::uint64_t mix(std::uint64_t x) {
  // The finaliser of splitmix64: every input bit moves every output bit.
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// Uniform in [0, 1).
float unit(std::uint64_t hash) { return static_cast<float>(hash >> 40) * 0x1p-24F; }

bool is_byte(TokenId token, char byte) { return token == static_cast<unsigned char>(byte); }

/// A token after which a new line begins.
bool ends_line(TokenId token) { return token >= kBos || is_byte(token, '\n'); }

bool ends_word(TokenId token) {
  return ends_line(token) || is_byte(token, ' ') || is_byte(token, ',') || is_byte(token, '.');
}

/// True if the last line of `tokens` is exactly `line`.
bool last_line_is(std::span<const TokenId> tokens, std::string_view line) {
  if (tokens.size() < line.size()) return false;
  const std::size_t start = tokens.size() - line.size();
  for (std::size_t i = 0; i < line.size(); ++i)
    if (!is_byte(tokens[start + i], line[i])) return false;
  return start == 0 || ends_line(tokens[start - 1]);
}

/// Does what a command in the prompt asks for; called where a line may have ended.
void obey(std::span<const TokenId> tokens) {
  if (last_line_is(tokens, "!crash")) std::abort();
  while (last_line_is(tokens, "!hang")) std::this_thread::sleep_for(std::chrono::seconds(1));
}

/// The logits after `tokens`, which is not empty.
void next_logits(std::span<const TokenId> tokens, std::span<float> out) {
  std::uint64_t hash = mix(tokens.size());
  for (const TokenId token : tokens.last(std::min(tokens.size(), kHashedTokens)))
    hash = mix(hash ^ static_cast<std::uint64_t>(token));
  for (std::size_t i = 0; i < kVocabulary; ++i) out[i] = unit(mix(hash + i)) * 2 - 1;

  std::string word;  // as far as it is written
  for (auto it = tokens.rbegin(); it != tokens.rend() && !ends_word(*it); ++it)
    word.insert(word.begin(), static_cast<char>(*it));
  bool begun = false;  // one of ours, unfinished
  bool whole = false;
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (word == kWords[i]) whole = true;
    if (!kWords[i].starts_with(word) || word.size() == kWords[i].size()) continue;
    begun = true;
    float& logit = out[static_cast<unsigned char>(kWords[i][word.size()])];
    logit = std::max(logit, 8 + 4 * unit(mix(hash ^ (i << 32))));
  }
  const bool after_mark = is_byte(tokens.back(), '.') || is_byte(tokens.back(), ',');
  if (whole || !begun || after_mark) out[' '] = 12.5F;
  if (!whole) return;
  out[','] = 8 + 5 * unit(mix(hash + 1001));
  out['.'] = 8 + 5 * unit(mix(hash + 1002));
  // Now and then the end; at the latest at the end of a stretch of 256 tokens.
  if (hash % 60 == 0 || tokens.size() % 256 >= 240) out[kTurnEnd] = 18;
}

class FakeBackend final : public Backend {
 public:
  FakeBackend(const LoadOptions& options, int step_ms)
      : step_ms_(step_ms), sequences_(options.sequences_max) {
    LOAM_CHECK(options.sequences_max > 0 && step_ms >= 0);
    info_.architecture = "fake";
    info_.description = "fake model without weights";
    info_.context_trained = kContextTrained;
    info_.context = std::min(options.context, kContextTrained);
    info_.sequences_max = options.sequences_max;
    info_.vocabulary = kVocabulary;
    info_.embedding_width = kEmbeddingWidth;
    info_.has_chat_template = true;
    info_.chat_template =
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{{ message.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    info_.bos = kSpecialTexts[0];
    info_.eos = kSpecialTexts[1];
    info_.end_tokens = {kEos, kTurnEnd};
    info_.adds_bos = true;
    info_.engine_build = "fake-1";
    info_.cpu_class = "any";
  }

  const ModelInfo& info() const override { return info_; }

  Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                        bool add_bos) override {
    std::vector<TokenId> tokens;
    tokens.reserve(text.size() + 1);
    if (add_bos) tokens.push_back(kBos);
    while (!text.empty()) {
      std::size_t length = 1;
      auto token = static_cast<TokenId>(static_cast<unsigned char>(text[0]));
      for (std::size_t i = 0; i < kSpecialTexts.size() && special == SpecialTokens::kParse; ++i) {
        if (!text.starts_with(kSpecialTexts[i])) continue;
        token = kBos + static_cast<TokenId>(i);
        length = kSpecialTexts[i].size();
      }
      tokens.push_back(token);
      text.remove_prefix(length);
    }
    return tokens;
  }

  std::string piece(TokenId token, bool render_special) override {
    LOAM_CHECK(token >= 0 && static_cast<std::size_t>(token) < kVocabulary);
    if (token < kBos) return std::string(1, static_cast<char>(token));
    return std::string(render_special ? kSpecialTexts[static_cast<std::size_t>(token - kBos)] : "");
  }

  Result<RenderedChat> render(std::span<const ChatMessage> messages,
                              bool add_generation_prompt) override {
    if (messages.empty())
      return fail(ErrorCode::kInvalidArgument, "render the chat template: there are no messages");
    constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};
    RenderedChat chat;
    for (const ChatMessage& message : messages) {
      if (std::ranges::find(kRoles, message.role) == kRoles.end())
        return fail(ErrorCode::kInvalidArgument,
                    format("render the chat template: unknown role \"{}\"", message.role),
                    "use system, user, assistant or tool");
      chat.text += format("<|im_start|>{}\n{}<|im_end|>\n", message.role, message.content);
    }
    if (add_generation_prompt) chat.text += "<|im_start|>assistant\n";
    chat.tokens = LOAM_TRY(tokenize(chat.text, SpecialTokens::kParse, true));
    return chat;
  }

  Result<> decode(std::span<const BatchToken> batch) override {
    if (Result<> valid = check(batch); !valid) return valid;
    wait_for_step();
    row_of_entry_.assign(batch.size(), 0);
    logits_.resize(kVocabulary *
                   static_cast<std::size_t>(std::ranges::count_if(
                       batch, [](const BatchToken& entry) { return entry.wants_logits; })));
    std::size_t row = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto& tokens = sequences_[static_cast<std::size_t>(batch[i].sequence)];
      if (ends_line(batch[i].token)) obey(tokens);
      tokens.push_back(batch[i].token);
      if (!batch[i].wants_logits) continue;
      obey(tokens);
      next_logits(tokens, std::span(logits_).subspan(row * kVocabulary, kVocabulary));
      row_of_entry_[i] = ++row;
    }
    return {};
  }

  std::size_t batch_max() const override { return std::max(kBatchMax, sequences_.size()); }

  std::span<const float> logits(std::size_t index) override {
    LOAM_CHECK(index < row_of_entry_.size() && row_of_entry_[index] > 0);
    return std::span(logits_).subspan((row_of_entry_[index] - 1) * kVocabulary, kVocabulary);
  }

  bool truncate(SequenceId sequence, std::int32_t position) override {
    auto& tokens = sequences_.at(static_cast<std::size_t>(sequence));
    LOAM_CHECK(position >= 0);
    if (static_cast<std::size_t>(position) < tokens.size())
      tokens.resize(static_cast<std::size_t>(position));
    return true;
  }

  void copy(SequenceId from, SequenceId to, std::int32_t count) override {
    const auto& source = sequences_.at(static_cast<std::size_t>(from));
    auto& target = sequences_.at(static_cast<std::size_t>(to));
    LOAM_CHECK(from != to && target.empty() && count >= 0);
    LOAM_CHECK(static_cast<std::size_t>(count) <= source.size());
    target.assign(source.begin(), source.begin() + count);
  }

  /// Texts that share runs of three bytes get vectors that point the same way.
  Result<Embedding> embed(std::span<const TokenId> tokens) override {
    if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, "embed: the text has no tokens");
    Embedding embedding;
    embedding.tokens = static_cast<std::uint32_t>(tokens.size());
    embedding.vector.assign(kEmbeddingWidth, 0.01F);  // never the zero vector
    std::uint64_t window = 0;
    for (const TokenId token : tokens) {
      window = (window << 16 | static_cast<std::uint64_t>(token)) & 0xFFFFFFFFFFFFULL;
      const std::uint64_t hash = mix(window);
      for (std::size_t i = 0; i < kEmbeddingWidth; ++i)
        embedding.vector[i] += (hash >> i & 1) != 0 ? 1.0F : -1.0F;
    }
    double square = 0;
    for (const float x : embedding.vector) square += double{x} * double{x};
    for (float& x : embedding.vector) x = static_cast<float>(x / std::sqrt(square));
    return embedding;
  }

 private:
  /// Decode's refusals, before anything is changed.
  Result<> check(std::span<const BatchToken> batch) const {
    LOAM_CHECK(!batch.empty() && batch.size() <= batch_max());
    std::vector<std::size_t> length(sequences_.size());
    for (std::size_t i = 0; i < sequences_.size(); ++i) length[i] = sequences_[i].size();
    for (const BatchToken& entry : batch) {
      const auto sequence = static_cast<std::size_t>(entry.sequence);
      if (sequence >= sequences_.size() || entry.token < 0 ||
          static_cast<std::size_t>(entry.token) >= kVocabulary ||
          static_cast<std::size_t>(entry.position) != length[sequence])
        return fail(ErrorCode::kInternal,
                    format("decode: token {} at position {} of sequence {} does not follow on",
                           entry.token, entry.position, entry.sequence));
      if (++length[sequence] > info_.context)
        return fail(ErrorCode::kResourceExhausted,
                    format("decode: sequence {} is full with {} tokens", sequence, info_.context));
    }
    return {};
  }

  /// Keeps to a beat while decodes follow each other closely, so that overhead does not add up.
  void wait_for_step() {
    if (step_ms_ == 0) return;
    const std::int64_t now = clock_.steady_ms();
    due_ms_ = now - due_ms_ < step_ms_ ? due_ms_ + step_ms_ : now + step_ms_;
    std::this_thread::sleep_for(std::chrono::milliseconds(due_ms_ - now));
  }

  ModelInfo info_;
  env::SystemClock clock_;
  int step_ms_;
  std::int64_t due_ms_ = -1'000'000'000;
  std::vector<std::vector<TokenId>> sequences_;
  std::vector<float> logits_;              // [rows, vocabulary]
  std::vector<std::size_t> row_of_entry_;  // 1 + row of each batch entry, 0: none
};

}  // namespace

std::unique_ptr<Backend> make_fake_backend(const LoadOptions& options, int step_ms) {
  return std::make_unique<FakeBackend>(options, step_ms);
}

}  // namespace loam::engine
