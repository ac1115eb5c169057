// The trainer's forward pass against llama.cpp's: the same weights and tokens, the same
// log-probabilities. Of toys every token's at every position is compared; of the starter model, at
// every position those of the likeliest tokens, of the one that follows, and of some others: the
// trainer never keeps a row, and says one loss for each position and pass.
//
// It is asked of libllama itself, not of our engine, because that keeps keys and values in 16 bits
// (as flash attention does in any case), which alone moves losses by up to 0.01.
#include <gtest/gtest.h>
#include <llama-cpp.h>
#include <llama.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "base/format.h"
#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/random.h"
#include "train/model.h"
#include "train/model_gguf.h"
#include "train/testing/toy_model.h"
#include "tuning/gguf_weights.h"
#include "tuning/testing/wide_copy.h"

namespace loam::tuning {
namespace {

using testing::write_wide_copy;

constexpr std::size_t kTokensMax = 256;  // in a text
// In nats. 0.00004 was seen on x86-64; on the quantised file, whose products llama.cpp rounds to 8
// bits, 0.3.
constexpr double kDifferenceMax = 1e-3;

const std::vector<std::string> kTexts = {
    "The river rises in the hills north of the town. In spring, when the snow melts, it carries "
    "stones and branches past the old mill, and children count the boats that come back.",
    "To make bread you need flour, water, salt and yeast. Mix them, wait for an hour, and bake "
    "the dough at 220 degrees until the crust is brown."};

struct Scored {
  std::vector<llama_token> tokens;  // of all texts, one after the other
  std::vector<std::size_t> starts;  // of each text, and the number of tokens
  std::size_t vocabulary = 0;
  std::vector<double> losses;  // [tokens, vocabulary]: -ln p of whatever may follow
};

/// Adds -ln softmax(row), summed in double.
void add_losses(std::span<const float> row, std::vector<double>& losses) {
  const double most = *std::ranges::max_element(row);
  double sum = 0;
  for (const float value : row) sum += std::exp(value - most);
  for (const float value : row) losses.push_back(most + std::log(sum) - value);
}

/// Adds what libllama says of one text.
Result<> score_text(llama_context* context, const std::vector<llama_token>& tokens, Scored& out) {
  llama_memory_clear(llama_get_memory(context), false);
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1);
  for (const llama_token token : tokens) {
    const std::int32_t row = batch.n_tokens++;
    batch.token[row] = token;
    batch.pos[row] = row;
    batch.n_seq_id[row] = 1;
    batch.seq_id[row][0] = 0;
    batch.logits[row] = 1;
  }
  const int code = llama_decode(context, batch);
  llama_batch_free(batch);
  if (code != 0) return fail(ErrorCode::kInternal, format("evaluate a text: code {}", code));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    add_losses({llama_get_logits_ith(context, static_cast<std::int32_t>(i)), out.vocabulary},
               out.losses);
  out.starts.push_back(out.tokens.size());
  out.tokens.insert(out.tokens.end(), tokens.begin(), tokens.end());
  return {};
}

/// kTexts as the model's own tokenizer has them; of a model without one, made-up tokens.
Result<std::vector<std::vector<llama_token>>> texts_of(const llama_vocab* vocab) {
  std::vector<std::vector<llama_token>> out;
  if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE) {
    for (const int length : {45, 7}) {
      auto& text = out.emplace_back();
      for (int i = 0; i < length; ++i)
        text.push_back((3 * i * i + 5 * i + length) % llama_vocab_n_tokens(vocab));
    }
    return out;
  }
  for (const std::string& text : kTexts) {
    std::vector<llama_token> tokens(kTokensMax);
    const int count =
        llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                       static_cast<std::int32_t>(tokens.size()), false, false);
    if (count < 2) return fail(ErrorCode::kInternal, "tokenise a text: it is empty or too long");
    tokens.resize(static_cast<std::size_t>(count));
    out.push_back(std::move(tokens));
  }
  return out;
}

/// What libllama says of the texts.
Result<Scored> score(const env::Path& file) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  const llama_model_ptr model(
      llama_model_load_from_file(file.c_str(), llama_model_default_params()));
  if (model == nullptr) return fail(ErrorCode::kCorrupt, "load " + file.string());
  auto params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = kTokensMax;
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  const llama_context_ptr context(llama_init_from_model(model.get(), params));
  if (context == nullptr) return fail(ErrorCode::kInternal, "make a context");
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  Scored out;
  out.vocabulary = static_cast<std::size_t>(llama_vocab_n_tokens(vocab));
  for (const auto& tokens : LOAM_TRY(texts_of(vocab)))
    LOAM_TRY(score_text(context.get(), tokens, out));
  out.starts.push_back(out.tokens.size());
  return out;
}

/// What the trainer and libllama say of one token at each position: their largest difference,
/// infinite if any is not a number.
class Differences {
 public:
  explicit Differences(const train::Weights& weights)
      : model_(gemm_, weights, kTokensMax, train::Keep::kLayerInputs) {}

  double of(const Scored& scored, const std::vector<train::Token>& targets) {
    const std::vector<train::Token> tokens(scored.tokens.begin(), scored.tokens.end());
    const std::vector<float> counts(tokens.size(), 1);
    std::vector<float> ours(tokens.size());
    model_.losses({tokens, scored.starts, {targets, counts}}, nullptr, ours);
    double most = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const double theirs = scored.losses[i * scored.vocabulary + targets[i]];
      const double difference = std::abs(theirs - double{ours[i]});
      most = std::isnan(difference) ? INFINITY : std::max(most, difference);
    }
    return most;
  }

 private:
  train::Team team_{2};
  train::Gemm gemm_{team_};
  train::Model model_;
};

/// At each position the token that follows; behind a text's last, any.
std::vector<train::Token> following(const Scored& scored) {
  std::vector<train::Token> out(scored.tokens.begin() + 1, scored.tokens.end());
  out.push_back(0);
  return out;
}

/// At each position the token that is likelier than all but `rank` others.
std::vector<train::Token> likeliest(const Scored& scored, std::size_t rank) {
  std::vector<train::Token> out, order(scored.vocabulary);
  for (std::size_t i = 0; i < scored.tokens.size(); ++i) {
    const double* row = &scored.losses[i * scored.vocabulary];
    std::iota(order.begin(), order.end(), 0U);
    const auto nth = order.begin() + static_cast<std::ptrdiff_t>(rank);
    std::ranges::nth_element(order, nth, {}, [&](train::Token token) { return row[token]; });
    out.push_back(*nth);
  }
  return out;
}

/// A file of these weights, whose tokens have no text.
Bytes toy_file(const train::Weights& weights, std::string_view architecture) {
  const train::Shape& shape = weights.shape;
  constexpr std::uint32_t kFloat = 6;  // a value's type
  const auto key = [&](std::string_view name) { return format("{}.{}", architecture, name); };
  const auto whole = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
  const auto bits = [](float value) {
    std::string out;
    catalog::testing::GgufWriter::put(out, std::bit_cast<std::uint32_t>(value), 4);
    return out;
  };
  catalog::testing::GgufWriter facts;
  facts.alignment = 1;  // nothing behind the last pair
  facts.text("general.architecture", architecture)
      .u32(key("vocab_size"), whole(shape.vocabulary))
      .u32(key("context_length"), kTokensMax)
      .u32(key("embedding_length"), whole(shape.width))
      .u32(key("block_count"), whole(shape.layers))
      .u32(key("feed_forward_length"), whole(shape.ffn_width))
      .u32(key("attention.head_count"), whole(shape.attention.heads))
      .u32(key("attention.head_count_kv"), whole(shape.attention.kv_heads))
      .u32(key("rope.dimension_count"), whole(shape.rope.rotated))
      .raw(key("rope.freq_base"), kFloat, bits(shape.rope.base))
      .raw(key("attention.layer_norm_rms_epsilon"), kFloat, bits(shape.norm_epsilon))
      .text("tokenizer.ggml.model", "no_vocab");
  const std::string bytes = facts.bytes();
  constexpr std::size_t kBeforePairs = 24;
  return train::encode_model(weights, {.pairs = Bytes(bytes.begin() + kBeforePairs, bytes.end()),
                                       .pair_count = facts.pair_count,
                                       .name = "toy",
                                       .lineage = {}});
}

train::Shape toy_shape(train::RopePairs pairs) {
  return {.layers = 3,
          .width = 32,
          .ffn_width = 80,
          .vocabulary = 97,
          .attention = {.heads = 4, .kv_heads = 2, .head_width = 8},
          .rope = {.head_width = 8, .rotated = 8, .base = 10'000, .pairs = pairs, .factors = {}},
          .norm_epsilon = 1e-5F};
}

class TrainAgreement : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(copy_); }

  static train::Weights weights_of(const env::Path& file) {
    const auto source = open_gguf_weights(env::open_read(file).value(), file).value();
    return train::read_weights(*source).value();
  }

  /// Of every token at every position, by all three: the file's weights through both programs.
  double whole_difference(const train::Weights& weights, std::string_view architecture) const {
    const Bytes bytes = toy_file(weights, architecture);
    EXPECT_TRUE(env::write_file_atomic(copy_, as_text(bytes)));
    const auto scored = score(copy_);
    EXPECT_TRUE(scored) << scored.error().message;
    if (!scored) return INFINITY;
    EXPECT_EQ(scored->vocabulary, weights.shape.vocabulary);
    const train::Weights read = weights_of(copy_);
    Differences differences(read);
    double most = 0;
    for (train::Token token = 0; token < scored->vocabulary; ++token)
      most = std::max(
          most, differences.of(*scored, std::vector<train::Token>(scored->tokens.size(), token)));
    return most;
  }

  const env::Path copy_ = std::filesystem::temp_directory_path() / env::random_id("loam-wide-");
};

TEST_F(TrainAgreement, TheTrainerHasTheLossesThatLlamaCppHas) {
  const auto path = env::variable("LOAM_TEST_MODEL");
  ASSERT_TRUE(path)
      << "LOAM_TEST_MODEL names no model file: tools/deps fetch starter-model, then configure";
  const train::Weights weights = weights_of(*path);
  Differences differences(weights);
  {
    const auto quantised = score(*path);
    ASSERT_TRUE(quantised) << quantised.error().message;
    RecordProperty("difference_quantised",
                   format("{:.6f}", differences.of(*quantised, following(*quantised))));
  }
  const auto written = write_wide_copy(*path, copy_);
  ASSERT_TRUE(written) << written.error().message;
  const auto wide = score(copy_);
  ASSERT_TRUE(wide) << wide.error().message;
  double difference = differences.of(*wide, following(*wide));
  for (const std::size_t rank : {0U, 1U, 2U, 5U, 20U, 200U, 5'000U, 49'000U})
    difference = std::max(difference, differences.of(*wide, likeliest(*wide, rank)));
  RecordProperty("difference", format("{:.6f}", difference));
  EXPECT_LT(difference, kDifferenceMax);
}

TEST_F(TrainAgreement, OfAToyOfEachFamilyEveryLogProbabilityIsLlamaCpps) {
  using train::testing::Bias;
  using train::testing::Head;
  for (const Head head : {Head::kTied, Head::kOwn}) {
    const double llama = whole_difference(
        train::testing::toy_weights(toy_shape(train::RopePairs::kAdjacent), head, Bias::kNone),
        "llama");
    EXPECT_LT(llama, kDifferenceMax) << (head == Head::kTied ? "tied" : "a head of its own");
    // Qwen2 adds a bias to q, k and v, and turns the halves of a head together.
    const double qwen2 = whole_difference(
        train::testing::toy_weights(toy_shape(train::RopePairs::kHalves), head, Bias::kOfQkv),
        "qwen2");
    EXPECT_LT(qwen2, kDifferenceMax) << (head == Head::kTied ? "tied" : "a head of its own");
    RecordProperty("difference_toys", format("{:.6f}", std::max(llama, qwen2)));
  }
}

}  // namespace
}  // namespace loam::tuning
