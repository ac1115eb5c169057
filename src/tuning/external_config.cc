#include "tuning/external_config.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/format.h"
#include "codec/json.h"
#include "tuning/recipe_settings.h"

namespace loam::tuning {
namespace {

using codec::Array;
using codec::Object;
using codec::Value;

constexpr const char* kOutput = "adapter";
constexpr const char* kDataName = "loam";

constexpr TrainerFacts kTrainers[] = {
    {"trl", "TRL", "trl.yaml", "pip install trl peft", ""},
    {"llama-factory", "LLaMA-Factory", "llamafactory.yaml", "pip install llamafactory",
     "llamafactory-cli train llamafactory.yaml"},
    {"axolotl", "axolotl", "axolotl.yaml", "pip install axolotl", "axolotl train axolotl.yaml"},
};

std::string_view stage_word(Stage stage) {
  switch (stage) {
    case Stage::kSft: return "sft";
    case Stage::kKto: return "kto";
    case Stage::kDpo: return "dpo";
  }
  return "";
}

std::string base_of(const ExternalOrder& order) {
  return order.base_id.empty() ? std::string(kBasePlaceholder) : order.base_id;
}

Array target_words(const Recipe& recipe) {
  Array out;
  for (const train::Part part : recipe.lora_target)
    out.emplace_back(part_words()[static_cast<std::size_t>(part)]);
  return out;
}

/// Steps in which the rate rises: counted here, since newer trainers no longer know a ratio.
std::uint64_t warmup_steps(const ExternalOrder& order) {
  const Recipe& recipe = order.recipe;
  const std::uint64_t step_rows =
      recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps;
  const double passes = std::ceil(static_cast<double>(order.rows) / static_cast<double>(step_rows));
  const double steps = recipe.max_steps > 0 ? static_cast<double>(recipe.max_steps)
                                            : passes * recipe.num_train_epochs;
  return static_cast<std::uint64_t>(std::ceil(steps * recipe.warmup_ratio));
}

/// What transformers' own trainer calls these things, which TRL and LLaMA-Factory stand on.
void add_schedule(Object& out, const ExternalOrder& order) {
  const Recipe& recipe = order.recipe;
  out.insert(out.end(), {{"per_device_train_batch_size", recipe.per_device_train_batch_size},
                         {"gradient_accumulation_steps", recipe.gradient_accumulation_steps},
                         {"learning_rate", recipe.learning_rate},
                         {"lr_scheduler_type", recipe.lr_scheduler_type},
                         {"warmup_steps", warmup_steps(order)},
                         {"num_train_epochs", recipe.num_train_epochs},
                         {"weight_decay", recipe.weight_decay},
                         {"max_grad_norm", recipe.max_grad_norm},
                         {"logging_steps", recipe.logging_steps},
                         {"save_steps", recipe.save_steps},
                         {"seed", recipe.seed},
                         {"bf16", true},
                         {"report_to", "none"}});
  if (recipe.max_steps > 0) out.emplace_back("max_steps", recipe.max_steps);
}

Value trl_config(const ExternalOrder& order) {
  const Recipe& recipe = order.recipe;
  Object out{{"model_name_or_path", base_of(order)},
             {"datasets", Array{Object{{"path", "json"}, {"data_files", kExternalRows}}}},
             {"output_dir", kOutput},
             {"use_peft", true},
             {"lora_r", recipe.lora_rank},
             {"lora_alpha", static_cast<std::int64_t>(recipe.lora_alpha)},
             {"lora_dropout", 0.0},
             {"lora_target_modules", target_words(recipe)},
             {"max_length", recipe.cutoff_len},
             {"gradient_checkpointing", !recipe.disable_gradient_checkpointing}};
  if (recipe.stage == Stage::kSft) {
    out.emplace_back("completion_only_loss", !recipe.train_on_prompt);
    out.emplace_back("packing", false);
  } else {
    out.emplace_back("beta", recipe.pref_beta);
  }
  if (recipe.stage == Stage::kKto) {
    out.emplace_back("desirable_weight", recipe.kto_chosen_weight);
    out.emplace_back("undesirable_weight", recipe.kto_rejected_weight);
  }
  add_schedule(out, order);
  return out;
}

Value llama_factory_config(const ExternalOrder& order) {
  const Recipe& recipe = order.recipe;
  std::string targets;
  for (const Value& word : target_words(recipe))
    targets += format("{}{}", targets.empty() ? "" : ",", *word.as_string());
  Object out{{"model_name_or_path", base_of(order)},
             {"stage", stage_word(recipe.stage)},
             {"do_train", true},
             {"finetuning_type", "lora"},
             {"lora_rank", recipe.lora_rank},
             {"lora_alpha", static_cast<std::int64_t>(recipe.lora_alpha)},
             {"lora_dropout", 0.0},
             {"lora_target", targets},
             {"dataset_dir", "."},
             {"dataset", kDataName},
             {"cutoff_len", recipe.cutoff_len},
             {"output_dir", kOutput},
             {"plot_loss", true},
             {"disable_gradient_checkpointing", recipe.disable_gradient_checkpointing}};
  if (recipe.stage == Stage::kSft) {
    // The two exclude each other there; without either all answers of a conversation are learned.
    out.emplace_back(recipe.train_on_prompt ? "train_on_prompt" : "mask_history", true);
  } else {
    out.emplace_back("pref_beta", recipe.pref_beta);
  }
  if (recipe.stage == Stage::kKto) {
    out.emplace_back("kto_chosen_weight", recipe.kto_chosen_weight);
    out.emplace_back("kto_rejected_weight", recipe.kto_rejected_weight);
  }
  add_schedule(out, order);
  return out;
}

Value llama_factory_data(Stage stage) {
  Object columns{{"messages", "messages"}};
  if (stage == Stage::kKto) columns.emplace_back("kto_tag", "label");
  if (stage == Stage::kDpo) {
    columns.emplace_back("chosen", "chosen");
    columns.emplace_back("rejected", "rejected");
  }
  Object set{{"file_name", kExternalRows}, {"formatting", "sharegpt"}};
  if (stage == Stage::kDpo) set.emplace_back("ranking", true);
  set.emplace_back("columns", std::move(columns));
  set.emplace_back("tags", Object{{"role_tag", "role"},
                                  {"content_tag", "content"},
                                  {"user_tag", "user"},
                                  {"assistant_tag", "assistant"},
                                  {"system_tag", "system"}});
  return Object{{kDataName, std::move(set)}};
}

Value axolotl_config(const ExternalOrder& order) {
  const Recipe& recipe = order.recipe;
  const bool pairs = recipe.stage == Stage::kDpo;
  Object data{{"path", kExternalRows},
              {"ds_type", "json"},
              {"split", "train"},
              {"type", pairs ? "chat_template.default" : "chat_template"},
              {"field_messages", "messages"}};
  if (pairs) {
    data.emplace_back("field_chosen", "chosen");
    data.emplace_back("field_rejected", "rejected");
  } else {
    data.emplace_back("message_field_training", "train");
  }
  Object out{{"base_model", base_of(order)},
             {"chat_template", "tokenizer_default"},
             {"datasets", Array{std::move(data)}},
             {"output_dir", kOutput},
             {"adapter", "lora"},
             {"lora_r", recipe.lora_rank},
             {"lora_alpha", static_cast<std::int64_t>(recipe.lora_alpha)},
             {"lora_dropout", 0.0},
             {"lora_target_modules", target_words(recipe)},
             {"sequence_len", recipe.cutoff_len},
             {"sample_packing", false},
             {"micro_batch_size", recipe.per_device_train_batch_size},
             {"gradient_accumulation_steps", recipe.gradient_accumulation_steps},
             {"learning_rate", recipe.learning_rate},
             {"optimizer", "adamw_torch"},
             {"lr_scheduler", recipe.lr_scheduler_type},
             {"warmup_steps", warmup_steps(order)},
             {"num_epochs", recipe.num_train_epochs},
             {"weight_decay", recipe.weight_decay},
             {"max_grad_norm", recipe.max_grad_norm},
             {"gradient_checkpointing", !recipe.disable_gradient_checkpointing},
             {"logging_steps", recipe.logging_steps},
             {"save_steps", recipe.save_steps},
             {"seed", recipe.seed},
             {"bf16", "auto"}};
  if (recipe.max_steps > 0) out.emplace_back("max_steps", recipe.max_steps);
  if (pairs) {
    out.emplace_back("rl", "dpo");
    out.emplace_back("rl_beta", recipe.pref_beta);
  }
  return out;
}

std::string readme(const ExternalOrder& order) {
  const TrainerFacts& facts = trainer_facts(order.trainer);
  const std::string command =
      order.trainer == Trainer::kTrl
          ? format("trl {} --config {}", stage_word(order.recipe.stage), facts.config)
          : std::string(facts.run);
  const std::string model = order.model.empty() ? "MODEL" : order.model;
  std::string out = format(
      "# A training for {}\n\n"
      "{} rows of split `train` of the Loam data set with root\n`{}`,\n"
      "which was verified when they were written, and the recipe in the words of {}.\n\n"
      "1. `{}` where the GPU is.\n",
      facts.title, order.rows, order.data_set_root, facts.title, facts.install);
  if (order.base_id.empty())
    out += format(
        "2. In `{}` put the base model in the place of `{}`: its id on a model hub, or its folder. "
        "It must be the\n   model that the adapter is for here, with the weights not quantised.\n",
        facts.config, kBasePlaceholder);
  else
    out += format(
        "2. The base is `{}`: it must be the model that the adapter is for here, with the weights "
        "not quantised.\n",
        order.base_id);
  out += format(
      "3. In this folder: `{}`.\n"
      "4. Bring the adapter back: `loam train import {} --model {} --name NAME`. What it learned "
      "from is not\n   known for certain then, and its source says so.\n\n"
      "Where the two trainers differ: a conversation of more than `cutoff_len` = {} tokens is left "
      "out by Loam\nand cut by others. The order of the rows and the first values of the adapter "
      "are not the same.\n\n"
      "The rows are texts that people shared, and may take back: build the data set again from "
      "time "
      "to time and\nexport it anew. Nothing but you erases this folder.\n",
      command, kOutput, model, order.recipe.cutoff_len);
  return out;
}

std::string scalar(const Value& value) {
  const double* real = value.as_double();
  if (real == nullptr) return codec::to_json(value);
  std::string out = format("{:.15f}", *real);
  out.erase(std::max(out.find_last_not_of('0') + 1, out.find('.') + 2));
  return out;
}

std::string flow(const Array& array) {
  std::string out;
  for (const Value& item : array) out += format("{}{}", out.empty() ? "" : ", ", scalar(item));
  return format("[{}]", out);
}

}  // namespace

const TrainerFacts& trainer_facts(Trainer trainer) {
  return kTrainers[static_cast<std::size_t>(trainer)];
}

std::string to_yaml(const Value& value) {
  LOAM_CHECK(value.as_object() != nullptr);
  std::string out;
  for (const auto& [name, member] : *value.as_object()) {
    const Array* array = member.as_array();
    if (array == nullptr) {
      out += format("{}: {}\n", name, scalar(member));
    } else if (array->empty() || array->front().as_object() == nullptr) {
      out += format("{}: {}\n", name, flow(*array));
    } else {
      out += format("{}:\n", name);
      for (const Value& item : *array) {
        std::string_view lead = "  - ";
        for (const auto& [key, inner] : *item.as_object()) {
          out += format("{}{}: {}\n", lead, key, scalar(inner));
          lead = "    ";
        }
      }
    }
  }
  return out;
}

std::vector<ExternalFile> external_files(const ExternalOrder& order) {
  std::vector<ExternalFile> out;
  const std::string name(trainer_facts(order.trainer).config);
  switch (order.trainer) {
    case Trainer::kTrl: out.push_back({name, to_yaml(trl_config(order))}); break;
    case Trainer::kLlamaFactory:
      out.push_back({name, to_yaml(llama_factory_config(order))});
      out.push_back(
          {"dataset_info.json", codec::to_json(llama_factory_data(order.recipe.stage), 2) + "\n"});
      break;
    case Trainer::kAxolotl: out.push_back({name, to_yaml(axolotl_config(order))}); break;
  }
  out.push_back({"README.md", readme(order)});
  return out;
}

}  // namespace loam::tuning
