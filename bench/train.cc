// The trainer, for bench/run train and bench/run peft.
//
//   bench_train wide MODEL COPY                   the model with all its weights as binary32
//   bench_train steps MODEL RECIPE TEXTS THREADS  a run as `loam train` makes it; does what each
//   line
//                                                 of stdin says, and answers with one JSON object:
//       step           the next step
//       sgemm          a large product
//       save FOLDER    the adapter as it is now, as PEFT has it
//   bench_train losses MODEL FOLDER TEXTS         -ln p of all tokens but the first, a line for
//   each
//                                                 text; FOLDER: an adapter as PEFT has it, or -
//
// TEXTS: a line for each, how many tokens are its prompt, then all its tokens.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/parse.h"
#include "env/file.h"
#include "must.h"
#include "train/cost.h"
#include "train/model.h"
#include "train/weight_source.h"
#include "tuning/gguf_weights.h"
#include "tuning/peft.h"
#include "tuning/testing/wide_copy.h"
#include "tuning/training_run.h"

namespace {

using namespace loam;
using bench::die;
using bench::must;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 30;

std::size_t whole(std::string_view text) {
  const auto value = parse_int(text);
  if (!value || *value < 0) die("not a number: " + std::string(text));
  return static_cast<std::size_t>(*value);
}

std::unique_ptr<train::WeightSource> open_model(const env::Path& file) {
  return must(tuning::open_gguf_weights(must(env::open_read(file)), file));
}

std::string architecture_of(const train::WeightSource& source) {
  return source.text("general.architecture").value_or("");
}

tuning::Recipe read_recipe(const env::Path& file) {
  return must(tuning::parse_recipe(must(env::read_file(file, kFileBytesMax)), file.string()));
}

std::vector<tuning::Example> read_texts(const env::Path& file) {
  std::vector<tuning::Example> out;
  const std::string all = must(env::read_file(file, kFileBytesMax));
  for (const std::string_view line : split(all, '\n')) {
    if (line.empty()) continue;
    tuning::Text text;
    bool first = true;
    for (const std::string_view word : split(line, ' ')) {
      if (first)
        text.prompt_tokens = whole(word);
      else
        text.tokens.push_back(static_cast<train::Token>(whole(word)));
      first = false;
    }
    if (text.prompt_tokens == 0 || text.prompt_tokens >= text.tokens.size())
      die("a text without a prompt or an answer");
    out.push_back({"", {std::move(text)}, true});
  }
  return out;
}

template <class Body>
double seconds(const Body& body) {
  const auto from = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

/// GFLOP/s of one large product, the best of a few.
double sgemm(train::Gemm& gemm) {
  constexpr std::size_t kSize = 1536;
  const std::vector<float> a(kSize * kSize, 0.5F), b(kSize * kSize, 0.25F);
  std::vector<float> c(kSize * kSize);
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double took = seconds([&] {
      gemm.multiply(train::matrix(a, kSize, kSize), train::matrix(b, kSize, kSize),
                    {c.data(), kSize}, train::Into::kReplace);
    });
    best = std::max(best, 2e-9 * static_cast<double>(kSize * kSize * kSize) / took);
  }
  return best;
}

void step(tuning::TrainingRun& run) {
  const double gflop = run.gflop() / static_cast<double>(run.steps());
  std::optional<tuning::StepReport> report;
  const double took = seconds([&] { report = must(run.advance()); });
  std::printf(
      "{\"seconds\": %.6f, \"loss\": %.9g, \"norm\": %.9g, \"rate\": %.9g, \"tokens\": %zu, "
      "\"gflop\": %.3f}\n",
      took, report->loss, report->gradient_norm, report->rate, report->tokens, gflop);
}

void save(const train::Adapter& adapter, const train::Shape& shape, std::string_view architecture,
          const env::Path& folder) {
  const tuning::PeftFiles files = tuning::encode_peft(adapter, shape, architecture, "base");
  must(env::make_folder(folder));
  must(env::write_file_atomic(folder / "adapter_config.json", files.config));
  must(env::write_file_atomic(folder / "adapter_model.safetensors", as_text(files.tensors)));
  std::printf("{}\n");
}

void make_steps(const env::Path& model, const env::Path& recipe_file, const env::Path& texts,
                std::size_t threads) {
  const auto source = open_model(model);
  const train::Weights weights = must(train::read_weights(*source));
  const tuning::Recipe recipe = read_recipe(recipe_file);
  const std::vector<tuning::Example> examples = read_texts(texts);
  train::Team team(threads);
  train::Gemm gemm(team);
  tuning::TrainingRun run(gemm, weights, recipe, examples);
  for (std::string command; std::getline(std::cin, command);) {
    if (command == "step")
      step(run);
    else if (command == "sgemm")
      std::printf("{\"gflops\": %.3f}\n", sgemm(gemm));
    else if (command.starts_with("save "))
      save(std::get<train::Adapter>(run.trained()), weights.shape, architecture_of(*source),
           command.substr(5));
    else
      die("no such command: " + command);
    std::fflush(stdout);
  }
}

void print_losses(const env::Path& model, const std::string& folder, const env::Path& texts) {
  const auto source = open_model(model);
  const train::Weights weights = must(train::read_weights(*source));
  std::optional<train::Adapter> adapter;
  if (folder != "-") {
    const env::Path from = folder;
    const std::string config = must(env::read_file(from / "adapter_config.json", kFileBytesMax));
    const std::string tensors =
        must(env::read_file(from / "adapter_model.safetensors", kFileBytesMax));
    adapter = must(
        tuning::decode_peft(config, as_bytes(tensors), weights.shape, architecture_of(*source)));
  }
  train::Team team(2);
  train::Gemm gemm(team);
  const std::vector<tuning::Example> examples = read_texts(texts);
  std::size_t longest = 0;
  for (const tuning::Example& example : examples) longest = std::max(longest, example.tokens());
  train::Model forward(gemm, weights, longest, train::Keep::kLayerInputs);
  for (const tuning::Example& example : examples) {
    const std::vector<train::Token>& tokens = example.texts[0].tokens;
    const std::vector<std::size_t> starts = {0, tokens.size()};
    std::vector<train::Token> targets(tokens.begin() + 1, tokens.end());
    targets.push_back(0);
    std::vector<float> counts(tokens.size(), 1), losses(tokens.size());
    counts.back() = 0;
    forward.losses({tokens, starts, {targets, counts}}, adapter ? &*adapter : nullptr, losses);
    for (std::size_t i = 0; i + 1 < losses.size(); ++i)
      std::printf(i == 0 ? "%.6f" : " %.6f", double{losses[i]});
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string what = words.empty() ? "" : words[0];
  if (what == "wide" && words.size() == 3)
    must(tuning::testing::write_wide_copy(words[1], words[2]));
  else if (what == "steps" && words.size() == 5)
    make_steps(words[1], words[2], words[3], whole(words[4]));
  else if (what == "losses" && words.size() == 4)
    print_losses(words[1], words[2], words[3]);
  else
    die("usage: see the top of bench/train.cc");
}
