#include "tuning/learner.h"

namespace loam::tuning {
namespace {

Parameters fresh(const train::Weights& base, const Recipe& recipe) {
  if (recipe.full) return base;
  return train::make_adapter(base.shape, adapter_options(recipe), recipe.seed);
}

Parameters zeros(const Parameters& of) {
  return std::visit([](const auto& parameters) -> Parameters { return parameters.zeros(); }, of);
}

}  // namespace

train::AdapterOptions adapter_options(const Recipe& recipe) {
  return {.rank = recipe.lora_rank, .alpha = recipe.lora_alpha, .parts = recipe.lora_target};
}

train::Keep keep_of(const Recipe& recipe) {
  return recipe.disable_gradient_checkpointing ? train::Keep::kProducts : train::Keep::kLayerInputs;
}

Learner::Learner(train::Gemm& gemm, const train::Weights& base, const Recipe& recipe)
    : trained_(fresh(base, recipe)),
      gradient_(zeros(trained_)),
      base_(gemm, base, recipe.cutoff_len, keep_of(recipe)) {
  if (const auto* all = std::get_if<train::Weights>(&trained_))
    whole_.emplace(gemm, *all, recipe.cutoff_len, keep_of(recipe));
}

train::Spans Learner::spans_of(Parameters& parameters) {
  return std::visit([](auto& one) { return one.spans(); }, parameters);
}

std::vector<bool> Learner::decayed() const {
  const auto* all = std::get_if<train::Weights>(&trained_);
  return all == nullptr ? std::vector<bool>() : all->decayed();
}

void Learner::losses(const train::Batch& batch, std::span<float> losses) {
  if (whole_) return whole_->losses(batch, nullptr, losses);
  base_.losses(batch, &std::get<train::Adapter>(trained_), losses);
}

void Learner::base_losses(const train::Batch& batch, std::span<float> losses) {
  base_.losses(batch, nullptr, losses);
}

double Learner::accumulate(const train::Batch& batch) {
  if (whole_) return whole_->accumulate(batch, std::get<train::Weights>(gradient_));
  return base_.accumulate(batch, std::get<train::Adapter>(trained_),
                          std::get<train::Adapter>(gradient_));
}

}  // namespace loam::tuning
