#include "tuning/external.h"

#include <cmath>

#include "base/format.h"
#include "tuning/external_config.h"

namespace loam::tuning {
namespace {

using codec::Array;
using codec::Object;
using codec::Value;
using Messages = std::vector<engine::ChatMessage>;

Value message_value(const engine::ChatMessage& message) {
  return Object{{"role", message.role}, {"content", message.content}};
}

Value messages_value(const Messages& messages, std::size_t count) {
  Array out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(message_value(messages[i]));
  return out;
}

/// What TRL calls conversational: the prompt apart from the answer, which alone is learned.
Value trl_row(const ViewRow& row, Stage stage) {
  const Messages& first = row.conversations.front();
  const auto answer = [](const Messages& of) { return Array{message_value(of.back())}; };
  Object out{{"prompt", messages_value(first, first.size() - 1)}};
  if (stage == Stage::kDpo) {
    out.emplace_back("chosen", answer(first));
    out.emplace_back("rejected", answer(row.conversations.back()));
    return out;
  }
  out.emplace_back("completion", answer(first));
  if (stage == Stage::kKto) out.emplace_back("label", row.good);
  return out;
}

/// Both other trainers want a pair's prompt as `messages`, and each answer as one message.
Value pair_row(const ViewRow& row) {
  const Messages& better = row.conversations.front();
  return Object{{"messages", messages_value(better, better.size() - 1)},
                {"chosen", message_value(better.back())},
                {"rejected", message_value(row.conversations.back().back())}};
}

Value llama_factory_row(const ViewRow& row, Stage stage) {
  if (stage == Stage::kDpo) return pair_row(row);
  const Messages& messages = row.conversations.front();
  Object out{{"messages", messages_value(messages, messages.size())}};
  if (stage == Stage::kKto) out.emplace_back("label", row.good);
  return out;
}

/// axolotl learns from every answer of a conversation unless the messages say otherwise.
Value axolotl_row(const ViewRow& row, const Recipe& recipe) {
  if (recipe.stage == Stage::kDpo) return pair_row(row);
  const Messages& messages = row.conversations.front();
  Array out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Value message = message_value(messages[i]);
    message.set("train", recipe.train_on_prompt || i + 1 == messages.size());
    out.push_back(std::move(message));
  }
  return Object{{"messages", std::move(out)}};
}

}  // namespace

Result<Trainer> parse_trainer(std::string_view name) {
  for (const Trainer trainer : {Trainer::kTrl, Trainer::kLlamaFactory, Trainer::kAxolotl})
    if (name == trainer_facts(trainer).name) return trainer;
  return fail(ErrorCode::kInvalidArgument,
              format("--to {}: expected trl, llama-factory or axolotl", name));
}

Result<> check_external(Trainer trainer, const Recipe& recipe) {
  if (recipe.full)
    return fail(ErrorCode::kUnsupported,
                "export: finetuning_type = \"full\" makes a model, which cannot be brought back",
                "finetuning_type = \"lora\" makes an adapter, which `loam train import` takes");
  if (recipe.lora_alpha != std::floor(recipe.lora_alpha))
    return fail(
        ErrorCode::kUnsupported,
        format("export: lora_alpha = {}: other trainers want a whole number", recipe.lora_alpha));
  if (recipe.canaries > 0)
    return fail(ErrorCode::kUnsupported,
                format("export: canaries = {}: only a training here plants them", recipe.canaries),
                "set canaries = 0 in the recipe");
  if (trainer == Trainer::kAxolotl && recipe.stage == Stage::kKto)
    return fail(ErrorCode::kUnsupported,
                "export: axolotl has no way to use a model's own chat template for stage kto",
                "--to trl or --to llama-factory can");
  return {};
}

Value external_row(const ViewRow& row, const ExternalOrder& order) {
  switch (order.trainer) {
    case Trainer::kTrl: return trl_row(row, order.recipe.stage);
    case Trainer::kLlamaFactory: return llama_factory_row(row, order.recipe.stage);
    case Trainer::kAxolotl: return axolotl_row(row, order.recipe);
  }
  return {};
}

}  // namespace loam::tuning
