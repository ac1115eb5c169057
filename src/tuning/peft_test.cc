#include "tuning/peft.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "codec/json.h"
#include "train/testing/toy_model.h"
#include "tuning/safetensors.h"

namespace loam::tuning {
namespace {

using train::Part;
using train::RopePairs;
using train::testing::toy_adapter;
using train::testing::toy_shape;

constexpr std::string_view kQ0 = "base_model.model.model.layers.0.self_attn.q_proj.lora_";

std::string_view architecture_of(const train::Shape& shape) {
  return shape.rope.pairs == RopePairs::kAdjacent ? "llama" : "qwen2";
}

PeftFiles encoded(const train::Adapter& adapter, const train::Shape& shape) {
  return encode_peft(adapter, shape, architecture_of(shape), "acme/base");
}

Result<train::Adapter> decoded(const PeftFiles& files, const train::Shape& shape) {
  return decode_peft(files.config, files.tensors, shape, architecture_of(shape));
}

bool same(const train::Adapter& a, const train::Adapter& b) {
  if (a.rank != b.rank || a.alpha != b.alpha || a.layers.size() != b.layers.size()) return false;
  for (std::size_t layer = 0; layer < a.layers.size(); ++layer)
    for (const Part part : train::kParts)
      if (a.layers[layer][part].down != b.layers[layer][part].down ||
          a.layers[layer][part].up != b.layers[layer][part].up)
        return false;
  return true;
}

/// The files of a toy adapter, one member of the config another.
PeftFiles with(std::string name, codec::Value value) {
  PeftFiles files = encoded(toy_adapter(toy_shape()), toy_shape());
  codec::Value config = *codec::parse_json(files.config);
  config.set(std::move(name), std::move(value));
  files.config = codec::to_json(config);
  return files;
}

/// The same, the tensors another.
template <class Change>
PeftFiles with_tensors(Change change) {
  PeftFiles files = encoded(toy_adapter(toy_shape()), toy_shape());
  SafeTensors tensors = *decode_safetensors(files.tensors);
  change(tensors.tensors);
  files.tensors = encode_safetensors(tensors);
  return files;
}

std::string error_of(const PeftFiles& files) {
  const auto read = decoded(files, toy_shape());
  if (read) return "none";
  constexpr std::string_view kBegin = "import the adapter: ";
  return read.error().message.starts_with(kBegin) ? read.error().message.substr(kBegin.size())
                                                  : read.error().message;
}

RC_GTEST_PROP(Peft, GivesBackTheAdapterThatItWasMadeOf, ()) {
  train::Shape shape = toy_shape(*rc::gen::element(RopePairs::kAdjacent, RopePairs::kHalves));
  shape.attention.head_width = *rc::gen::element<std::size_t>(4, 5, 6, 8);
  train::Adapter adapter = toy_adapter(shape, *rc::gen::inRange<std::size_t>(0, 3));
  adapter.alpha = *rc::gen::element(16.0F, 0.3F, 1e-40F, std::numeric_limits<float>::max());
  if (*rc::gen::arbitrary<bool>())  // not the same parts in each layer
    for (std::size_t layer = 0; layer < 2; ++layer)
      for (const Part part : train::kParts)
        if (*rc::gen::arbitrary<bool>()) adapter.layers[layer][part] = {};
  const auto read = decoded(encoded(adapter, shape), shape);
  RC_ASSERT(read.has_value());
  RC_ASSERT(same(*read, adapter));
}

TEST(EncodePeft, WritesTheConfigThatPeftReads) {
  const train::Shape shape = toy_shape();
  const std::vector<Part> parts = {Part::kV, Part::kQ};
  const train::Adapter adapter =
      train::make_adapter(shape, {.rank = 2, .alpha = 32, .parts = parts, .first_layer = 1}, 7);
  EXPECT_EQ(encoded(adapter, shape).config, R"({
  "alpha_pattern": {},
  "auto_mapping": null,
  "base_model_name_or_path": "acme/base",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layers_pattern": null,
  "layers_to_transform": [
    1,
    2
  ],
  "lora_alpha": 32,
  "lora_dropout": 0.0,
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 2,
  "rank_pattern": {},
  "revision": null,
  "target_modules": [
    "q_proj",
    "v_proj"
  ],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
}
)");
}

TEST(EncodePeft, NamesModulesInFullWhereLayersDiffer) {
  const train::Shape shape = toy_shape();
  train::Adapter adapter = toy_adapter(shape, 1);
  for (const Part part : train::kParts)
    if (part != Part::kDown) adapter.layers[1][part] = {};
  for (const Part part : train::kParts)
    if (part != Part::kQ) adapter.layers[2][part] = {};
  const codec::Value config = *codec::parse_json(encoded(adapter, shape).config);
  EXPECT_EQ(*config.find("target_modules"),
            codec::Value(
                codec::Array{"model.layers.1.mlp.down_proj", "model.layers.2.self_attn.q_proj"}));
  EXPECT_TRUE(config.find("layers_to_transform")->is_null());
}

TEST(EncodePeft, HoldsFactorsAsPyTorchDoes) {
  const train::Shape shape = toy_shape(RopePairs::kHalves);
  const train::Adapter adapter = toy_adapter(shape);
  const SafeTensors file = *decode_safetensors(encoded(adapter, shape).tensors);
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(file.tensors.size(), 3U * 7U * 2U);
  const auto& [down, up] = adapter.layers[2][Part::kDown];
  const std::string name = "base_model.model.model.layers.2.mlp.down_proj.lora_";
  EXPECT_EQ(file.tensors.at(name + "A.weight"), (SafeTensor{{3, 20}, down}));
  const SafeTensor& b = file.tensors.at(name + "B.weight");
  EXPECT_EQ(b.shape, (std::vector<std::size_t>{12, 3}));
  for (std::size_t out = 0; out < 12; ++out)
    for (std::size_t r = 0; r < 3; ++r) EXPECT_EQ(b.values[out * 3 + r], up[r * 12 + out]);
}

/// What llama.cpp makes of rows in the order of Hugging Face:
/// w.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(w.shape), by the book.
std::vector<float> permuted(const std::vector<float>& w, std::size_t heads, std::size_t columns) {
  const std::size_t half = w.size() / columns / heads / 2;
  std::vector<float> out;
  for (std::size_t head = 0; head < heads; ++head)
    for (std::size_t i = 0; i < half; ++i)
      for (std::size_t which = 0; which < 2; ++which)
        for (std::size_t column = 0; column < columns; ++column)
          out.push_back(w[((head * 2 + which) * half + i) * columns + column]);
  return out;
}

TEST(Permuted, IsWhatNumpySays) {
  // numpy.arange(16).reshape(2, 2, 4, 1).swapaxes(1, 2).flatten()
  EXPECT_EQ(permuted({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 2, 1),
            (std::vector<float>{0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15}));
}

TEST(EncodePeft, PutsRowsOfQAndKBackFromTheOrderOfLlamasFiles) {
  train::Shape shape = toy_shape(RopePairs::kAdjacent);
  shape.attention.head_width = 8;  // with 4, there and back are the same
  const train::Adapter adapter = toy_adapter(shape);
  const SafeTensors file = *decode_safetensors(encoded(adapter, shape).tensors);
  const auto in_file_order = [&](Part part) {  // [out, rank], as convert_lora_to_gguf.py writes it
    const std::vector<float>& up = adapter.layers[0][part].up;
    const std::size_t size = up.size() / 3;
    std::vector<float> out;
    for (std::size_t row = 0; row < size; ++row)
      for (std::size_t r = 0; r < 3; ++r) out.push_back(up[r * size + row]);
    return out;
  };
  const auto lora_b = [&](std::string_view module) {
    return file.tensors
        .at("base_model.model.model.layers.0.self_attn." + std::string(module) + ".lora_B.weight")
        .values;
  };
  EXPECT_EQ(permuted(lora_b("q_proj"), 4, 3), in_file_order(Part::kQ));
  EXPECT_EQ(permuted(lora_b("k_proj"), 2, 3), in_file_order(Part::kK));
  EXPECT_EQ(lora_b("v_proj"), in_file_order(Part::kV));
  EXPECT_EQ(file.tensors.at(std::string(kQ0) + "A.weight").values,
            adapter.layers[0][Part::kQ].down);
}

TEST(DecodePeft, RefusesWhatIsNotPlainLora) {
  const auto on = [](std::string name, codec::Value value) {
    return error_of(with(std::move(name), std::move(value)));
  };
  EXPECT_EQ(on("use_dora", true), R"(its config has "use_dora" set, which is not plain LoRA)");
  EXPECT_EQ(on("use_rslora", true), R"(its config has "use_rslora" set, which is not plain LoRA)");
  EXPECT_EQ(on("fan_in_fan_out", true),
            R"(its config has "fan_in_fan_out" set, which is not plain LoRA)");
  EXPECT_EQ(on("rank_pattern", codec::Object{{"q_proj", 4}}),
            R"(its config has "rank_pattern" set, which is not plain LoRA)");
  EXPECT_EQ(on("modules_to_save", codec::Array{"lm_head"}),
            R"(its config has "modules_to_save" set, which is not plain LoRA)");
  EXPECT_EQ(on("of_tomorrow", codec::Object{{"a", 1}}),
            R"(its config has "of_tomorrow" set, which is not plain LoRA)");
  EXPECT_EQ(on("peft_type", "LOHA"), R"(its config has peft_type "LOHA" instead of LORA)");
  EXPECT_EQ(on("peft_type", nullptr), "its config does not say its peft_type");
  EXPECT_EQ(on("task_type", "SEQ_CLS"),
            R"(its config has task_type "SEQ_CLS" instead of CAUSAL_LM)");
  EXPECT_EQ(on("bias", "all"), R"(its config has bias "all" instead of none)");
  EXPECT_EQ(on("init_lora_weights", "pissa"),
            R"(its config has init_lora_weights "pissa", which changes the base model as well)");
}

TEST(DecodePeft, IgnoresWhatOnlyToldTheTrainerHowToTrain) {
  for (const auto& [name, value] : codec::Object{{"lora_dropout", 0.1},
                                                 {"init_lora_weights", "gaussian"},
                                                 {"init_lora_weights", false},
                                                 {"task_type", nullptr},
                                                 {"inference_mode", false},
                                                 {"megatron_core", "megatron.core"},
                                                 {"qalora_group_size", 16},
                                                 {"peft_version", "0.21.2"},
                                                 {"loftq_config", codec::Object{{"a", 1}}},
                                                 {"lora_bias", false},
                                                 {"target_parameters", codec::Array{}}})
    EXPECT_EQ(error_of(with(name, value)), "none") << name;
}

TEST(DecodePeft, RefusesARankOrAlphaThatIsNone) {
  EXPECT_EQ(error_of(with("r", 0)), "its config has 0 as r, which is no rank");
  EXPECT_EQ(error_of(with("r", 8.0)), "its config has no whole number as r");
  EXPECT_EQ(error_of(with("lora_alpha", 0)), "its config has 0 as lora_alpha");
  EXPECT_EQ(error_of(with("lora_alpha", 1e300)), "its config has 1e+300 as lora_alpha");
  EXPECT_EQ(error_of(with("lora_alpha", "16")), "its config has no number as lora_alpha");
}

TEST(DecodePeft, RefusesModulesAndLayersThatTheModelHasNot) {
  EXPECT_EQ(error_of(with("target_modules", codec::Array{"q_proj", "lm_head"})),
            "its config targets \"lm_head\", which is no linear part of a layer of this model");
  EXPECT_EQ(error_of(with("target_modules", codec::Array{"proj"})),
            "its config targets \"proj\", which is no linear part of a layer of this model");
  EXPECT_EQ(error_of(with("target_modules", codec::Array{1})),
            "its config has no name in target_modules");
  EXPECT_EQ(error_of(with("target_modules", codec::Array{})), "it adapts no part of this model");
  EXPECT_EQ(error_of(with("layers_to_transform", 3)),
            "its config chooses layer 3, where this model has 0 to 2");
  EXPECT_EQ(error_of(with("layers_to_transform", codec::Array{-1})),
            "its config chooses layer -1, where this model has 0 to 2");
}

TEST(DecodePeft, LetsTheTensorsSayWhatAPatternChooses) {
  for (const codec::Value& pattern : {codec::Value("all-linear"), codec::Value()}) {
    const auto read = decoded(with("target_modules", pattern), toy_shape());
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(same(*read, toy_adapter(toy_shape())));
  }
}

TEST(DecodePeft, TakesModulesByTheEndOfTheirNames) {
  const auto read =
      decoded(with("target_modules", codec::Array{"self_attn.q_proj", "k_proj", "v_proj", "o_proj",
                                                  "gate_proj", "mlp.up_proj", "down_proj"}),
              toy_shape());
  EXPECT_TRUE(read.has_value());
}

TEST(DecodePeft, RefusesTensorsThatDoNotFitTheConfig) {
  const std::string q0 = std::string(kQ0) + "A.weight";
  EXPECT_EQ(error_of(with_tensors([&](auto& tensors) { tensors.erase(q0); })),
            "tensor " + q0 + " is missing");
  EXPECT_EQ(error_of(with_tensors([&](auto& tensors) { tensors[q0].shape = {12, 3}; })),
            "tensor " + q0 + " is [12, 3], where [3, 12] fits");
  EXPECT_EQ(error_of(with("r", 4)), "tensor " + q0 + " is [3, 12], where [4, 12] fits");
  EXPECT_EQ(error_of(with_tensors([&](auto& tensors) {
              tensors[q0].values[0] = std::numeric_limits<float>::infinity();
            })),
            "tensor " + q0 + " holds infinity or NaN");
  const std::string_view stranger =
      " belongs to no part that its config chooses in this model of 3 layers";
  EXPECT_EQ(error_of(with_tensors([&](auto& tensors) { tensors["lm\n"] = {{1}, {0}}; })),
            "tensor \"lm\\n\"" + std::string(stranger));
  EXPECT_EQ(error_of(with("layers_to_transform", codec::Array{1, 2})),
            "tensor \"base_model.model.model.layers.0.mlp.down_proj.lora_A.weight\"" +
                std::string(stranger));
}

TEST(DecodePeft, RefusesWhatIsNoSuchFolder) {
  const PeftFiles files = encoded(toy_adapter(toy_shape()), toy_shape());
  EXPECT_EQ(error_of({"[]", files.tensors}), "adapter_config.json: no object");
  EXPECT_EQ(error_of({"{", files.tensors}), "adapter_config.json: JSON: syntax error at byte 2");
  EXPECT_EQ(error_of({files.config, {}}), "read safetensors: shorter than the length of a header");
  const auto read = decode_peft(files.config, files.tensors, toy_shape(), "gemma");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace loam::tuning
