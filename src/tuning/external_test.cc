#include "tuning/external.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "codec/json.h"
#include "tuning/external_config.h"

namespace loam::tuning {
namespace {

engine::ChatMessage message(std::string role, std::string content) {
  engine::ChatMessage out;
  out.role = std::move(role);
  out.content = std::move(content);
  return out;
}

ViewRow row_of(Stage stage) {
  const auto system = message("system", "Be short."), question = message("user", "What is rust?");
  ViewRow out;
  out.split = "train";
  out.conversations = {{system, question, message("assistant", "Old iron.")}};
  if (stage == Stage::kDpo)
    out.conversations.push_back({system, question, message("assistant", "A colour.")});
  out.good = false;
  return out;
}

ExternalOrder order_of(Trainer trainer, Stage stage) {
  ExternalOrder out;
  out.trainer = trainer;
  out.recipe.stage = stage;
  out.data_set_root = std::string(64, 'a');
  out.rows = 100;
  return out;
}

std::string row_text(Trainer trainer, Stage stage) {
  return codec::to_json(external_row(row_of(stage), order_of(trainer, stage)));
}

constexpr std::string_view kPrompt =
    R"([{"role":"system","content":"Be short."},{"role":"user","content":"What is rust?"}])";
constexpr std::string_view kAnswer = R"({"role":"assistant","content":"Old iron."})";
constexpr std::string_view kWorse = R"({"role":"assistant","content":"A colour."})";

TEST(External, TrlGetsThePromptApartFromTheAnswer) {
  EXPECT_EQ(row_text(Trainer::kTrl, Stage::kSft),
            format(R"({{"prompt":{},"completion":[{}]}})", kPrompt, kAnswer));
  EXPECT_EQ(row_text(Trainer::kTrl, Stage::kKto),
            format(R"({{"prompt":{},"completion":[{}],"label":false}})", kPrompt, kAnswer));
  EXPECT_EQ(row_text(Trainer::kTrl, Stage::kDpo),
            format(R"({{"prompt":{},"chosen":[{}],"rejected":[{}]}})", kPrompt, kAnswer, kWorse));
}

TEST(External, LlamaFactoryGetsMessagesAndPairsAsSingleMessages) {
  const std::string all = format("{},{}]", kPrompt.substr(0, kPrompt.size() - 1), kAnswer);
  EXPECT_EQ(row_text(Trainer::kLlamaFactory, Stage::kSft), format(R"({{"messages":{}}})", all));
  EXPECT_EQ(row_text(Trainer::kLlamaFactory, Stage::kKto),
            format(R"({{"messages":{},"label":false}})", all));
  EXPECT_EQ(row_text(Trainer::kLlamaFactory, Stage::kDpo),
            format(R"({{"messages":{},"chosen":{},"rejected":{}}})", kPrompt, kAnswer, kWorse));
}

TEST(External, AxolotlIsToldWhichMessageIsLearned) {
  EXPECT_EQ(row_text(Trainer::kAxolotl, Stage::kSft),
            R"({"messages":[{"role":"system","content":"Be short.","train":false},)"
            R"({"role":"user","content":"What is rust?","train":false},)"
            R"({"role":"assistant","content":"Old iron.","train":true}]})");
}

TEST(External, WhatATrainerCannotDoIsRefused) {
  Recipe recipe;
  EXPECT_TRUE(check_external(Trainer::kAxolotl, recipe));
  recipe.stage = Stage::kKto;
  EXPECT_FALSE(check_external(Trainer::kAxolotl, recipe));
  EXPECT_TRUE(check_external(Trainer::kTrl, recipe));
  recipe.lora_alpha = 12.5F;
  EXPECT_FALSE(check_external(Trainer::kTrl, recipe));
  recipe = {};
  recipe.canaries = 1;
  EXPECT_FALSE(check_external(Trainer::kTrl, recipe));
  recipe = {};
  recipe.full = true;
  EXPECT_FALSE(check_external(Trainer::kLlamaFactory, recipe));
  EXPECT_FALSE(parse_trainer("unsloth"));
  EXPECT_EQ(*parse_trainer("llama-factory"), Trainer::kLlamaFactory);
}

TEST(External, YamlHasNoNumberThatSomeReadersTakeForAText) {
  const codec::Value value =
      codec::Object{{"rate", 1e-5},
                    {"one", 1.0},
                    {"text", "a: \"b\""},
                    {"words", codec::Array{"q", "k"}},
                    {"sets", codec::Array{codec::Object{{"path", "json"}, {"file", "x"}}}}};
  EXPECT_EQ(to_yaml(value),
            "rate: 0.00001\none: 1.0\ntext: \"a: \\\"b\\\"\"\nwords: [\"q\", \"k\"]\n"
            "sets:\n  - path: \"json\"\n    file: \"x\"\n");
}

constexpr std::string_view kTrlGolden = R"(model_name_or_path: "BASE-MODEL"
datasets:
  - path: "json"
    data_files: "train.jsonl"
output_dir: "adapter"
use_peft: true
lora_r: 8
lora_alpha: 16
lora_dropout: 0.0
lora_target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
max_length: 512
gradient_checkpointing: false
completion_only_loss: true
packing: false
per_device_train_batch_size: 4
gradient_accumulation_steps: 2
learning_rate: 0.0002
lr_scheduler_type: "cosine"
warmup_steps: 2
num_train_epochs: 3.0
weight_decay: 0.0
max_grad_norm: 1.0
logging_steps: 1
save_steps: 50
seed: 42
bf16: true
report_to: "none"
)";

constexpr std::string_view kLlamaFactoryGolden = R"(model_name_or_path: "BASE-MODEL"
stage: "dpo"
do_train: true
finetuning_type: "lora"
lora_rank: 8
lora_alpha: 16
lora_dropout: 0.0
lora_target: "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
dataset_dir: "."
dataset: "loam"
cutoff_len: 512
output_dir: "adapter"
plot_loss: true
disable_gradient_checkpointing: true
pref_beta: 0.1
per_device_train_batch_size: 4
gradient_accumulation_steps: 2
learning_rate: 0.0002
lr_scheduler_type: "cosine"
warmup_steps: 2
num_train_epochs: 3.0
weight_decay: 0.0
max_grad_norm: 1.0
logging_steps: 1
save_steps: 50
seed: 42
bf16: true
report_to: "none"
)";

constexpr std::string_view kAxolotlGolden = R"(base_model: "BASE-MODEL"
chat_template: "tokenizer_default"
datasets:
  - path: "train.jsonl"
    ds_type: "json"
    split: "train"
    type: "chat_template"
    field_messages: "messages"
    message_field_training: "train"
output_dir: "adapter"
adapter: "lora"
lora_r: 8
lora_alpha: 16
lora_dropout: 0.0
lora_target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
sequence_len: 512
sample_packing: false
micro_batch_size: 4
gradient_accumulation_steps: 2
learning_rate: 0.0002
optimizer: "adamw_torch"
lr_scheduler: "cosine"
warmup_steps: 2
num_epochs: 3.0
weight_decay: 0.0
max_grad_norm: 1.0
gradient_checkpointing: false
logging_steps: 1
save_steps: 50
seed: 42
bf16: "auto"
)";

TEST(External, TheRecipeStandsInEachTrainersOwnWords) {
  EXPECT_EQ(external_files(order_of(Trainer::kTrl, Stage::kSft)).front().content, kTrlGolden);
  EXPECT_EQ(external_files(order_of(Trainer::kLlamaFactory, Stage::kDpo)).front().content,
            kLlamaFactoryGolden);
  EXPECT_EQ(external_files(order_of(Trainer::kAxolotl, Stage::kSft)).front().content,
            kAxolotlGolden);
}

TEST(External, TheReadmeSaysWhatToRunAndHowToBringTheAdapterBack) {
  ExternalOrder order = order_of(Trainer::kTrl, Stage::kDpo);
  const std::string open = external_files(order).back().content;
  EXPECT_NE(open.find("`trl dpo --config trl.yaml`"), std::string::npos) << open;
  EXPECT_NE(open.find("loam train import adapter --model MODEL"), std::string::npos);
  EXPECT_NE(open.find(kBasePlaceholder), std::string::npos);
  order.base_id = "owner/model";
  order.model = "smollm2";
  const std::string known = external_files(order).back().content;
  EXPECT_EQ(known.find(kBasePlaceholder), std::string::npos);
  EXPECT_NE(known.find("`owner/model`"), std::string::npos);
  EXPECT_NE(known.find("--model smollm2"), std::string::npos);
}

}  // namespace
}  // namespace loam::tuning
