// The trainer's forward pass against llama.cpp's: the same weights and tokens, the same losses.
//
// It is asked of libllama itself, not of our engine, because that keeps keys and values in 16 bits
// (as flash attention does in any case), which alone moves losses by up to 0.01.
#include <gtest/gtest.h>
#include <llama-cpp.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/format.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/random.h"
#include "train/model.h"
#include "tuning/gguf_weights.h"
#include "tuning/testing/wide_copy.h"

namespace loam::tuning {
namespace {

using testing::write_wide_copy;

constexpr std::size_t kTokensMax = 256;  // in a text
// In nats. 0.00002 was seen on x86-64; on the quantised file, whose products llama.cpp rounds to 8
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
  std::vector<double> losses;       // [tokens]: -ln p of the next in its text; 0 for a text's last
};

/// -ln softmax(row)[token], summed in double.
double loss(std::span<const float> row, llama_token token) {
  const double most = *std::ranges::max_element(row);
  double sum = 0;
  for (const float value : row) sum += std::exp(value - most);
  return most + std::log(sum) - row[static_cast<std::size_t>(token)];
}

/// Adds what libllama says of one text.
Result<> score_text(llama_context* context, const llama_vocab* vocab, const std::string& text,
                    Scored& out) {
  std::vector<llama_token> tokens(kTokensMax);
  const int count =
      llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                     static_cast<std::int32_t>(tokens.size()), false, false);
  if (count < 2) return fail(ErrorCode::kInternal, "tokenise a text: it is empty or too long");
  tokens.resize(static_cast<std::size_t>(count));
  llama_memory_clear(llama_get_memory(context), false);
  llama_batch batch = llama_batch_init(count, 0, 1);
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
  const auto width = static_cast<std::size_t>(llama_vocab_n_tokens(vocab));
  for (std::int32_t i = 0; i + 1 < count; ++i)
    out.losses.push_back(
        loss({llama_get_logits_ith(context, i), width}, tokens[static_cast<std::size_t>(i) + 1]));
  out.losses.push_back(0);
  out.starts.push_back(out.tokens.size());
  out.tokens.insert(out.tokens.end(), tokens.begin(), tokens.end());
  return {};
}

/// What libllama says of kTexts.
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
  Scored out;
  for (const std::string& text : kTexts)
    LOAM_TRY(score_text(context.get(), llama_model_get_vocab(model.get()), text, out));
  out.starts.push_back(out.tokens.size());
  return out;
}

/// What the trainer says of the same tokens.
std::vector<float> our_losses(const train::Weights& weights, const Scored& scored) {
  std::vector<train::Token> tokens(scored.tokens.begin(), scored.tokens.end());
  std::vector<train::Token> targets(tokens.begin() + 1, tokens.end());
  targets.push_back(0);
  std::vector<float> counts(tokens.size(), 1);
  for (const std::size_t start : scored.starts)
    if (start > 0) counts[start - 1] = 0;
  train::Team team(2);
  train::Gemm gemm(team);
  train::Model model(gemm, weights, kTokensMax, train::Keep::kLayerInputs);
  std::vector<float> losses(tokens.size());
  model.losses({tokens, scored.starts, {targets, counts}}, nullptr, losses);
  return losses;
}

/// Infinite if any is not a number.
double largest_difference(const std::vector<double>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - double{b[i]});
    most = std::isnan(difference) ? INFINITY : std::max(most, difference);
  }
  return most;
}

class TrainAgreement : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(copy_); }

  const env::Path copy_ = std::filesystem::temp_directory_path() / env::random_id("loam-wide-");
};

TEST_F(TrainAgreement, TheTrainerHasTheLossesThatLlamaCppHas) {
  const auto path = env::variable("LOAM_TEST_MODEL");
  ASSERT_TRUE(path)
      << "LOAM_TEST_MODEL names no model file: tools/deps fetch starter-model, then configure";
  const auto quantised = score(*path);
  ASSERT_TRUE(quantised) << quantised.error().message;
  std::vector<float> ours;
  {
    const auto source = open_gguf_weights(env::open_read(*path).value(), *path).value();
    const auto weights = train::read_weights(*source);
    ASSERT_TRUE(weights) << weights.error().message;
    ours = our_losses(*weights, *quantised);
  }
  ASSERT_EQ(ours.size(), quantised->losses.size());
  RecordProperty("difference_quantised",
                 format("{:.6f}", largest_difference(quantised->losses, ours)));

  const auto written = write_wide_copy(*path, copy_);
  ASSERT_TRUE(written) << written.error().message;
  const auto wide = score(copy_);
  ASSERT_TRUE(wide) << wide.error().message;
  ASSERT_EQ(wide->tokens, quantised->tokens);
  const double difference = largest_difference(wide->losses, ours);
  RecordProperty("difference", format("{:.6f}", difference));
  EXPECT_LT(difference, kDifferenceMax);
}

}  // namespace
}  // namespace loam::tuning
