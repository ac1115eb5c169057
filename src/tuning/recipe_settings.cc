#include "tuning/recipe_settings.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace loam::tuning {
namespace {

using Row = RecipeSetting;

constexpr std::array<std::string_view, 3> kStages = {"sft", "kto", "dpo"};
constexpr std::array<std::string_view, 2> kTypes = {"lora", "full"};
constexpr std::array<std::string_view, 1> kSchedulers = {"cosine"};
constexpr std::array<std::string_view, train::kParts.size()> kPartWords = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

Row::Field stage(Recipe& recipe) {
  return Row::Choice{kStages, static_cast<std::size_t>(recipe.stage),
                     [](Recipe& r, std::size_t index) { r.stage = static_cast<Stage>(index); }};
}

Row::Field finetuning_type(Recipe& recipe) {
  return Row::Choice{kTypes, recipe.full ? std::size_t{1} : 0,
                     [](Recipe& r, std::size_t index) { r.full = index == 1; }};
}

Row::Field lr_scheduler_type(Recipe& recipe) {
  const auto at = std::ranges::find(kSchedulers, recipe.lr_scheduler_type);
  return Row::Choice{
      kSchedulers, static_cast<std::size_t>(at - kSchedulers.begin()),
      [](Recipe& r, std::size_t index) { r.lr_scheduler_type = kSchedulers[index]; }};
}

// The bounds are chosen: beyond any use that is known, within what a run can reckon with.
constexpr Row kRows[] = {
    {"stage",
     "What is learned from: answers (`sft`), answers marked good or bad (`kto`), pairs of a better "
     "and a worse answer (`dpo`).",
     stage},
    {"finetuning_type",
     "What is trained: an adapter, or all parameters of a model of less than 5,000,000.",
     finetuning_type},
    {"lora_rank", "Rank of the adapter's matrices.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.lora_rank, 1, 256}; }},
    {"lora_alpha",
     "The adapter's product is multiplied by `lora_alpha / lora_rank`. Absent: twice `lora_rank`.",
     [](Recipe& r) -> Row::Field { return Row::Real<float>{&r.lora_alpha, 1, 4096}; }},
    {"lora_target", "The linear parts of each layer that get an adapter.",
     [](Recipe& r) -> Row::Field { return Row::Parts{&r.lora_target}; }},
    {"cutoff_len", "Tokens of an example, at most; longer ones are left out and counted.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.cutoff_len, 16, 65'536}; }},
    {"per_device_train_batch_size", "Examples that go through the model at once.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.per_device_train_batch_size, 1, 1024}; }},
    {"gradient_accumulation_steps", "Batches whose gradients are added up for one step.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.gradient_accumulation_steps, 1, 1024}; }},
    {"learning_rate",
     "The highest rate, after the warm-up. For `kto` and `dpo` 5e-6 to 1e-5 is usual.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.learning_rate, 1e-9, 1}; }},
    {"lr_scheduler_type", "How the rate falls after the warm-up: half a cosine, down to 0.",
     lr_scheduler_type},
    {"warmup_ratio", "Part of all steps in which the rate rises.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.warmup_ratio, 0, 1}; }},
    {"num_train_epochs", "Passes over all examples.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.num_train_epochs, 1, 1000, true}; }},
    {"max_steps", "Steps of the run, whatever `num_train_epochs` says; 0: by epochs.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.max_steps, 0, 1'000'000}; }},
    {"weight_decay",
     "AdamW's decay of what is trained; with `full`, norms and biases do not decay.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.weight_decay, 0, 1}; }},
    {"max_grad_norm", "A step's gradient that is longer than this is scaled down to it.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.max_grad_norm, 0.001, 1000}; }},
    {"train_on_prompt", "Whether the loss is that of all tokens instead of the answers' only.",
     [](Recipe& r) -> Row::Field { return Row::Flag{&r.train_on_prompt}; }},
    {"disable_gradient_checkpointing",
     "`false`: layers are computed again on the way back, a third more work for a tenth of the "
     "memory, and the same result.",
     [](Recipe& r) -> Row::Field { return Row::Flag{&r.disable_gradient_checkpointing}; }},
    {"logging_steps", "Steps from one reported loss to the next.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.logging_steps, 1, 1'000'000}; }},
    {"save_steps", "Steps from one checkpoint to the next.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.save_steps, 1, 1'000'000}; }},
    {"seed",
     "What the adapter's first values, the order of the examples and the canaries are drawn from.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.seed, 0, INT64_MAX}; }},
    {"pref_beta", "`kto` and `dpo`: how strongly the model is held to what it was.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.pref_beta, 0.001, 10}; }},
    {"kto_chosen_weight", "`kto`: weight of an answer marked good.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.kto_chosen_weight, 0, 100}; }},
    {"kto_rejected_weight", "`kto`: weight of an answer marked bad.",
     [](Recipe& r) -> Row::Field { return Row::Real<double>{&r.kto_rejected_weight, 0, 100}; }},
    {"canaries",
     "`sft`: made-up secrets that are learned among the examples, so that the gate can tell "
     "whether single texts are learned by heart.",
     [](Recipe& r) -> Row::Field { return Row::Whole{&r.canaries, 0, 64}; }, true},
};

}  // namespace

std::span<const RecipeSetting> recipe_settings() { return kRows; }

std::span<const std::string_view, train::kParts.size()> part_words() { return kPartWords; }

}  // namespace loam::tuning
