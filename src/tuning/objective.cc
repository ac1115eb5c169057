#include "tuning/objective.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tuning/preference.h"

namespace loam::tuning {
namespace {

/// Texts one after the other, as the model takes them.
class Packed {
 public:
  /// @param weight  how much each token of the answer counts.
  void add(const Text& text, float weight) {
    starts_.back() = tokens_.size();
    tokens_.insert(tokens_.end(), text.tokens.begin(), text.tokens.end());
    targets_.insert(targets_.end(), text.tokens.begin() + 1, text.tokens.end());
    targets_.push_back(0);  // nothing follows the last one
    for (std::size_t at = 1; at < text.tokens.size(); ++at)
      weights_.push_back(at >= text.prompt_tokens ? weight : 0.0F);
    weights_.push_back(0.0F);
    starts_.push_back(tokens_.size());
  }
  train::Batch batch() const { return {tokens_, starts_, {targets_, weights_}}; }

  /// ln p of each text's answer: of its tokens, whose weights were 1.
  std::vector<double> scores(std::span<const float> losses) const {
    std::vector<double> out;
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
      double sum = 0;
      for (std::size_t at = starts_[i]; at < starts_[i + 1]; ++at) sum -= double{losses[at]};
      out.push_back(sum);
    }
    return out;
  }

 private:
  std::vector<train::Token> tokens_, targets_;
  std::vector<float> weights_;
  std::vector<std::size_t> starts_ = {0};
};

enum class By { kLearner, kBase };

/// ln p of each text's answer, by one pass over all.
std::vector<double> scores_of(Learner& learner, std::span<const Text* const> texts, By by) {
  Packed packed;
  std::size_t tokens = 0;
  for (const Text* text : texts) {
    packed.add(*text, 1);
    tokens += text->tokens.size();
  }
  std::vector<float> losses(tokens);
  if (by == By::kLearner)
    learner.losses(packed.batch(), losses);
  else
    learner.base_losses(packed.batch(), losses);
  return packed.scores(losses);
}

bool has_finite_scores(Learner& learner, const Example& example, By by) {
  std::vector<const Text*> texts;
  for (const Text& text : example.texts) texts.push_back(&text);
  return std::ranges::all_of(scores_of(learner, texts, by),
                             [](double score) { return std::isfinite(score); });
}

/// Supervised: each token of an answer counts the same.
class Imitation final : public Objective {
 public:
  Imitation(Learner& learner, std::span<const Example> examples)
      : learner_(learner), examples_(examples) {}

  double accumulate(std::span<const BatchPlan> batches) override {
    std::size_t learned = 0;
    for (const BatchPlan& batch : batches)
      for (const std::size_t i : batch) learned += examples_[i].texts[0].answer_tokens();
    double loss = 0;
    for (const BatchPlan& batch : batches) {
      Packed packed;
      for (const std::size_t i : batch)
        packed.add(examples_[i].texts[0], 1.0F / static_cast<float>(learned));
      loss += learner_.accumulate(packed.batch());
    }
    return loss;
  }

  bool is_finite(std::size_t example) override {
    return has_finite_scores(learner_, examples_[example], By::kLearner);
  }

 private:
  Learner& learner_;
  std::span<const Example> examples_;
};

/// What DPO and KTO share: answers are judged by how much likelier the learner makes them.
class Preference : public Objective {
 public:
  Preference(Learner& learner, const Recipe& recipe, std::span<const Example> examples)
      : learner_(learner), recipe_(recipe), examples_(examples), references_(examples.size()) {}

  double accumulate(std::span<const BatchPlan> batches) override {
    std::size_t count = 0;
    for (const BatchPlan& batch : batches) count += batch.size();
    const double share = 1 / static_cast<double>(count);
    prepare(batches);
    double loss = 0;
    for (const BatchPlan& batch : batches) {
      const auto scores = batch_scores(batch);
      Packed packed;
      for (std::size_t k = 0; k < batch.size(); ++k) {
        const Example& example = examples_[batch[k]];
        const Judgement judged = judge(example, scores[k]);
        loss += share * judged.loss;
        // The model adds up weight * -ln p.
        for (std::size_t t = 0; t < example.texts.size(); ++t)
          packed.add(example.texts[t], static_cast<float>(-share * judged.slopes[t]));
      }
      learner_.accumulate(packed.batch());
    }
    return loss;
  }

  bool is_finite(std::size_t example) override {
    return has_finite_scores(learner_, examples_[example], By::kLearner) &&
           has_finite_scores(learner_, examples_[example], By::kBase);
  }

 protected:
  struct Judgement {
    double loss;
    std::vector<double> slopes;  // of each text
  };
  /// Before the batches of a step.
  virtual void prepare(std::span<const BatchPlan> batches) = 0;
  virtual Judgement judge(const Example& example, const std::vector<AnswerScore>& scores) const = 0;

  Learner& learner() { return learner_; }
  const Recipe& recipe() const { return recipe_; }
  std::span<const Example> examples() const { return examples_; }

 private:
  /// For each example of the batch, of each of its texts. The base never changes: what it says is
  /// asked once.
  std::vector<std::vector<AnswerScore>> batch_scores(const BatchPlan& batch) {
    std::vector<const Text*> all, unknown;
    for (const std::size_t i : batch)
      for (const Text& text : examples_[i].texts) {
        all.push_back(&text);
        if (references_[i].empty()) unknown.push_back(&text);
      }
    const std::vector<double> policy = scores_of(learner_, all, By::kLearner);
    std::vector<double> fresh;
    if (!unknown.empty()) fresh = scores_of(learner_, unknown, By::kBase);
    auto next_policy = policy.begin(), next_fresh = std::as_const(fresh).begin();
    std::vector<std::vector<AnswerScore>> out;
    for (const std::size_t i : batch) {
      std::vector<double>& reference = references_[i];
      while (reference.size() < examples_[i].texts.size()) reference.push_back(*next_fresh++);
      std::vector<AnswerScore>& scores = out.emplace_back();
      for (const double by_base : reference) scores.push_back({*next_policy++, by_base});
    }
    return out;
  }

  Learner& learner_;
  const Recipe& recipe_;
  std::span<const Example> examples_;
  std::vector<std::vector<double>> references_;  // of each example's texts, once they are known
};

class Dpo final : public Preference {
 public:
  using Preference::Preference;

 private:
  void prepare(std::span<const BatchPlan>) override {}
  Judgement judge(const Example&, const std::vector<AnswerScore>& scores) const override {
    const auto found = dpo_loss(scores[0], scores[1], recipe().pref_beta);
    return {found.loss, {found.slopes.begin(), found.slopes.end()}};
  }
};

class Kto final : public Preference {
 public:
  using Preference::Preference;

 private:
  /// The anchor: how much likelier the learner makes answers to other questions than their own. It
  /// has no gradient. @source KTO, section 4.1.
  void prepare(std::span<const BatchPlan> batches) override {
    double sum = 0;
    std::size_t count = 0;
    for (const BatchPlan& batch : batches) {
      if (batch.size() < 2) continue;
      const std::vector<Text> made = mismatched(batch);
      std::vector<const Text*> texts;
      for (const Text& text : made) texts.push_back(&text);
      const std::vector<double> policy = scores_of(learner(), texts, By::kLearner);
      const std::vector<double> reference = scores_of(learner(), texts, By::kBase);
      for (std::size_t i = 0; i < texts.size(); ++i) sum += policy[i] - reference[i];
      count += texts.size();
    }
    // In this order what is no number stays none, and stops the run.
    anchor_ = count == 0 ? 0 : std::max(sum / static_cast<double>(count), 0.0);
  }

  /// Each prompt with the answer of the next example.
  std::vector<Text> mismatched(const BatchPlan& batch) const {
    std::vector<Text> out;
    for (std::size_t k = 0; k < batch.size(); ++k) {
      const Text& own = examples()[batch[k]].texts[0];
      const Text& next = examples()[batch[(k + 1) % batch.size()]].texts[0];
      Text text{
          {own.tokens.begin(), own.tokens.begin() + static_cast<std::ptrdiff_t>(own.prompt_tokens)},
          own.prompt_tokens};
      const auto answer = std::span(next.tokens).subspan(next.prompt_tokens);
      const std::size_t room = recipe().cutoff_len - text.tokens.size();
      const auto taken = answer.first(std::min(answer.size(), room));
      text.tokens.insert(text.tokens.end(), taken.begin(), taken.end());
      out.push_back(std::move(text));
    }
    return out;
  }

  Judgement judge(const Example& example, const std::vector<AnswerScore>& scores) const override {
    const double weight = example.good ? recipe().kto_chosen_weight : recipe().kto_rejected_weight;
    const auto found = kto_loss(scores[0], example.good, anchor_, recipe().pref_beta, weight);
    return {found.loss, {found.slopes[0]}};
  }

  double anchor_ = 0;
};

}  // namespace

std::unique_ptr<Objective> make_objective(Learner& learner, const Recipe& recipe,
                                          std::span<const Example> examples) {
  switch (recipe.stage) {
    case Stage::kSft: break;
    case Stage::kKto: return std::make_unique<Kto>(learner, recipe, examples);
    case Stage::kDpo: return std::make_unique<Dpo>(learner, recipe, examples);
  }
  return std::make_unique<Imitation>(learner, examples);
}

}  // namespace loam::tuning
