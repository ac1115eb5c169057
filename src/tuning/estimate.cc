#include "tuning/estimate.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "dataset/row.h"
#include "train/cost.h"
#include "train/team.h"
#include "train/weight_source.h"
#include "tuning/gguf_weights.h"
#include "tuning/training_run.h"
#include "tuning/view_rows.h"

namespace loam::tuning {
namespace {

constexpr std::size_t kTokenBytes = 4;     // of English text, in the vocabularies that there are
constexpr std::size_t kMessageTokens = 5;  // that a chat template puts around one; chosen

std::size_t tokens_of(const engine::ChatMessage& message) {
  return message.content.size() / kTokenBytes + kMessageTokens;
}

/// Adds a row to what one pass sends through the model, and gives its length.
std::size_t add(const ViewRow& row, const Recipe& recipe, train::Traffic& pass,
                std::size_t& texts) {
  std::size_t length = 0;
  for (const auto& conversation : row.conversations) {
    std::size_t tokens = 0;
    for (const engine::ChatMessage& message : conversation) tokens += tokens_of(message);
    tokens = std::min(tokens, recipe.cutoff_len);
    const std::size_t answer = conversation.empty() ? 0 : tokens_of(conversation.back());
    pass.learned += static_cast<double>(recipe.train_on_prompt ? tokens : std::min(answer, tokens));
    length += tokens;
    ++texts;
  }
  pass.tokens += static_cast<double>(length);
  return length;
}

}  // namespace

Result<Estimate> estimate_job(catalog::Catalog& catalog, const catalog::Model& model,
                              const JobSpec& spec, std::uint64_t bytes_max, env::Clock& clock) {
  env::Fd file = LOAM_TRY(catalog.open_verified(model));
  const auto source = LOAM_TRY(open_gguf_weights(std::move(file), model.file));
  const train::Shape shape = LOAM_TRY(train::read_shape(*source));
  const bool has_head = source->sizes("output.weight").has_value();
  LOAM_TRY(check_memory(spec.recipe, shape, has_head, bytes_max));
  Estimate out = LOAM_TRY(estimate_run(spec.rows(), spec.recipe, shape, has_head));
  train::Team team(spec.threads);
  train::Gemm gemm(team);
  out.seconds = out.gflop / training_speed(gemm, clock);
  return out;
}

Result<Estimate> estimate_run(const env::Path& rows, const Recipe& recipe,
                              const train::Shape& shape, bool has_head) {
  train::Traffic pass;
  std::vector<std::size_t> lengths;
  std::size_t texts = 0;
  LOAM_TRY(read_view(
      rows, recipe.stage,
      [&](const ViewRow& row) -> Result<> {
        if (row.split == dataset::split_name(dataset::Split::kTrain))
          lengths.push_back(add(row, recipe, pass, texts));
        return {};
      },
      [](std::uint64_t, std::uint64_t) { return true; }));
  if (lengths.empty())
    return fail(ErrorCode::kInvalidArgument,
                format("train: {} has nothing to learn from: no row of split train", rows.string()),
                "build a data set whose query matches more records");
  pass.length = pass.tokens / static_cast<double>(texts);
  const auto before_passes = steps_before_passes(recipe, lengths);
  return Estimate{.examples = lengths.size(),
                  .steps = steps_of(recipe, before_passes),
                  .memory_bytes = run_bytes(recipe, shape, has_head),
                  .gflop = run_gflop(recipe, shape, pass, before_passes),
                  .seconds = 0};
}

double training_speed(train::Gemm& gemm, env::Clock& clock) {
  constexpr std::size_t kSize = 768;
  constexpr double kShare = 0.6;  // of a large product's speed, that a step reaches; measured
  const std::vector<float> a(kSize * kSize, 0.5F), b(kSize * kSize, 0.25F);
  std::vector<float> c(kSize * kSize);
  const std::int64_t from_ms = clock.steady_ms();
  std::int64_t took_ms = 0;
  double gflop = 0;
  while (took_ms < 50) {
    gemm.multiply(train::matrix(a, kSize, kSize), train::matrix(b, kSize, kSize), {c.data(), kSize},
                  train::Into::kReplace);
    gflop += 2e-9 * static_cast<double>(kSize * kSize * kSize);
    took_ms = clock.steady_ms() - from_ms;
  }
  return kShare * gflop / (static_cast<double>(took_ms) / 1000);
}

}  // namespace loam::tuning
