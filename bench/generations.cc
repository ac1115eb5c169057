// Ten generations of a small model that learns from what models wrote: bench/run generations.
//
//   bench_generations LOAM TOY LEARNED HELD_OUT THREADS
//
// TOY: the file of tests/toy_model.py. LEARNED and HELD_OUT: human text, a document in each line.
// LOAM is asked for the tokens only. stdout: a JSON object for each model, `nll` being the mean
// -ln p of a token of the held-out text, in nat.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <string>

#include "base/format.h"
#include "base/parse.h"
#include "crypto/digest.h"
#include "engine/cpu_class.h"
#include "engine/engine.h"
#include "env/file.h"
#include "must.h"
#include "toy_sampler.h"
#include "tuning/gguf_weights.h"
#include "tuning/little_endian.h"
#include "tuning/training_run.h"

namespace {

using namespace loam;
using bench::die;
using bench::must;
using bench::Sequence;
using train::Token;
using tuning::Example;

constexpr std::size_t kGenerations = 10;
constexpr std::size_t kLength = 128;        // tokens of a text
constexpr std::size_t kPrompt = 32;         // of those that a person wrote in any case
constexpr std::size_t kTexts = 512;         // that a generation learns from
constexpr std::size_t kTextsCounted = 128;  // in which pairs of tokens are counted
// Against collapse: every generation begins at the base and learns from people's texts for 60 % at
// least, from the generation before it for 10 % at most, from older ones for the rest.
constexpr std::size_t kFromParent = kTexts / 10, kFromOlder = kTexts * 3 / 10;

constexpr std::uint64_t kTextBytesMax = std::uint64_t{64} << 20;
constexpr std::int64_t kLoadTimeoutMs = 60'000;

tuning::Recipe recipe(double rate, double epochs) {
  tuning::Recipe out;
  out.full = true;
  out.cutoff_len = kLength;
  out.per_device_train_batch_size = 16;
  out.gradient_accumulation_steps = 1;
  out.learning_rate = rate;
  out.num_train_epochs = epochs;
  return out;
}

/// Texts of kLength tokens, cut out of all lines; a line begins with the token that ends texts.
std::vector<Sequence> texts_of(engine::Engine& engine, const std::string& file) {
  const std::string content = must(env::read_file(file, kTextBytesMax));
  const auto end = must(engine.tokenize("<|endoftext|>", engine::SpecialTokens::kParse, false));
  std::vector<Sequence> out(1);
  for (const std::string_view line : split(content, '\n')) {
    if (line.empty()) continue;
    auto tokens = must(engine.tokenize(line, engine::SpecialTokens::kPlainText, false));
    tokens.insert(tokens.begin(), end.begin(), end.end());
    for (const engine::TokenId token : tokens) {
      if (out.back().size() == kLength) out.emplace_back();
      out.back().push_back(static_cast<Token>(token));
    }
  }
  out.pop_back();  // it is shorter
  // In an order that has nothing to do with the one in which they stood.
  const auto place = [](const Sequence& text) {
    Bytes bytes;
    for (const Token token : text) tuning::append_little_endian(bytes, token);
    return crypto::sha256(bytes);
  };
  std::ranges::sort(out, {}, place);
  return out;
}

std::vector<Example> examples_of(std::span<const Sequence> texts, std::size_t prompt) {
  std::vector<Example> out;
  for (const Sequence& text : texts) out.push_back({"", {{text, prompt}}, true});
  return out;
}

class Bench {
 public:
  Bench(std::size_t threads, train::Weights random, std::vector<Sequence> learned,
        std::vector<Sequence> held_out)
      : team_(threads),
        gemm_(team_),
        base_(std::move(random)),
        older_(learned.begin(), learned.begin() + half(learned)),
        newer_(learned.begin() + half(learned), learned.end()),
        held_out_(std::move(held_out)) {
    if (newer_.size() < 2 * kTexts || held_out_.empty()) die("there is too little text");
  }

  void run() {
    base_ = trained(base_, examples_of(older_, 1), recipe(3e-3, 4));
    report("base", 0, base_);
    replace();
    accumulate();
  }

 private:
  static std::ptrdiff_t half(const std::vector<Sequence>& texts) {
    return static_cast<std::ptrdiff_t>(texts.size() / 2);
  }

  train::Weights trained(const train::Weights& from, const std::vector<Example>& examples,
                         const tuning::Recipe& how) {
    tuning::TrainingRun run(gemm_, from, how, examples);
    while (run.step() < run.steps()) must(run.advance());
    return std::get<train::Weights>(run.trained());
  }

  train::Weights next(const train::Weights& from, const std::vector<Sequence>& texts) {
    return trained(from, examples_of(texts, kPrompt), recipe(1e-3, 2));
  }

  /// Human texts for a generation, none of which the base knows: others in the next one, until all
  /// had their turn.
  std::vector<Sequence> human(std::size_t generation, std::size_t count) const {
    std::vector<Sequence> out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(newer_[(generation * kTexts + i) % newer_.size()]);
    return out;
  }

  /// What a model answers to the beginnings of human texts.
  std::vector<Sequence> answers(const train::Weights& weights, std::size_t generation,
                                std::size_t count = kTexts) {
    std::vector<Sequence> prompts = human(generation, count);
    for (Sequence& prompt : prompts) prompt.resize(kPrompt);
    return bench::sample(gemm_, weights, prompts, kLength, generation, surprise_);
  }

  /// Each generation goes on from the one before, and learns from its answers alone.
  void replace() {
    train::Weights model = base_;
    for (std::size_t generation = 1; generation <= kGenerations; ++generation) {
      model = next(model, answers(model, generation));
      report("replace", generation, model);
    }
  }

  void accumulate() {
    train::Weights model = base_;
    std::vector<std::vector<Sequence>> all;  // of each generation, the newest last
    for (std::size_t generation = 1; generation <= kGenerations; ++generation) {
      all.push_back(answers(model, generation));
      std::vector<Sequence> texts(all.back().begin(), all.back().begin() + kFromParent);
      const std::size_t older = all.size() - 1;
      for (std::size_t i = 0; older > 0 && i < kFromOlder; ++i)
        texts.push_back(all[i % older][kFromParent + i]);
      const auto people = human(generation + kGenerations, kTexts - texts.size());
      texts.insert(texts.end(), people.begin(), people.end());
      model = next(base_, texts);
      report("ours", generation, model);
    }
  }

  /// The mean -ln p of all tokens behind the prompts.
  double mean_loss(const train::Weights& weights, std::span<const Sequence> texts,
                   std::size_t prompt) {
    constexpr std::size_t kAtOnce = 16;
    train::Model model(gemm_, weights, kLength, train::Keep::kLayerInputs);
    double sum = 0;
    for (std::size_t from = 0; from < texts.size(); from += kAtOnce) {
      std::vector<Token> tokens, targets;
      std::vector<float> counts;
      std::vector<std::size_t> starts;
      for (const Sequence& text : texts.subspan(from, std::min(kAtOnce, texts.size() - from))) {
        starts.push_back(tokens.size());
        tokens.insert(tokens.end(), text.begin(), text.end());
        targets.insert(targets.end(), text.begin() + 1, text.end());
        targets.push_back(0);
        for (std::size_t at = 1; at <= kLength; ++at)
          counts.push_back(at >= prompt && at < kLength ? 1.0F : 0.0F);
      }
      starts.push_back(tokens.size());
      std::vector<float> losses(tokens.size());
      model.losses({tokens, starts, {targets, counts}}, nullptr, losses);
      for (const float loss : losses) sum += double{loss};
    }
    return sum / static_cast<double>(texts.size() * (kLength - prompt));
  }

  /// How many pairs of neighbours there are among a model's answers, each counted once.
  static std::size_t different_pairs(const std::vector<Sequence>& texts) {
    std::set<std::pair<Token, Token>> pairs;
    for (const Sequence& text : texts)
      for (std::size_t at = kPrompt; at + 1 < text.size(); ++at)
        pairs.emplace(text[at], text[at + 1]);
    return pairs.size();
  }

  void report(const char* arm, std::size_t generation, const train::Weights& weights) {
    const auto said = answers(weights, 0, kTextsCounted);
    if (std::abs(mean_loss(weights, said, kPrompt) - surprise_) > 1e-4)
      die("the sampler and the trainer disagree about a model");
    std::printf(
        "{\"arm\": \"%s\", \"generation\": %zu, \"nll\": %.6f, \"surprise\": %.6f, "
        "\"pairs\": %zu, \"learned\": %zu, \"newer\": %zu, \"held_out\": %zu}\n",
        arm, generation, mean_loss(weights, held_out_, 1), surprise_, different_pairs(said),
        older_.size(), newer_.size(), held_out_.size());
    std::fflush(stdout);
  }

  train::Team team_;
  train::Gemm gemm_;
  train::Weights base_;
  const std::vector<Sequence> older_, newer_;  // human texts: the base's, and those since then
  const std::vector<Sequence> held_out_;
  double surprise_ = 0;  // of the last answers
};

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values, values + count);
  if (arguments.size() != 6)
    die("bench_generations LOAM TOY LEARNED HELD_OUT THREADS; see the head of the source");
  const std::string& toy = arguments[2];
  engine::EngineSource source;
  source.name = "toy";
  source.file = must(env::open_read(toy));
  source.path = toy;
  source.load = {.context = 256, .sequences_max = 1, .queue_max = 1, .threads = 1};
  std::vector<Sequence> learned, held_out;
  {
    const auto engine =
        must(engine::start_worker_engine(engine::worker_program(arguments[1], engine::probe_cpu()),
                                         std::move(source), kLoadTimeoutMs));
    learned = texts_of(*engine, arguments[3]);
    held_out = texts_of(*engine, arguments[4]);
  }
  const auto threads = parse_int(arguments[5]);
  if (!threads || *threads < 1) die("THREADS: a number");
  const auto weights = must(tuning::open_gguf_weights(must(env::open_read(toy)), toy));
  Bench(static_cast<std::size_t>(*threads), must(train::read_weights(*weights)), std::move(learned),
        std::move(held_out))
      .run();
}
