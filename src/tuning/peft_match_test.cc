// PEFT's files and the GGUF file of one adapter are told from those of another.
#include "tuning/peft_match.h"

#include <gtest/gtest.h>

#include <limits>

#include "codec/json.h"
#include "train/adapter_gguf.h"
#include "train/testing/toy_model.h"
#include "tuning/peft.h"
#include "tuning/safetensors.h"

namespace loam::tuning {
namespace {

using train::Part;
using train::RopePairs;
using train::testing::toy_adapter;
using train::testing::toy_shape;

constexpr std::string_view kLayer0 = "base_model.model.model.layers.0.";
const std::string kQ = std::string(kLayer0) + "self_attn.q_proj.lora_B.weight";
const std::string kK = std::string(kLayer0) + "self_attn.k_proj.lora_B.weight";
const std::string kUp = std::string(kLayer0) + "mlp.up_proj.lora_A.weight";

/// Both forms of one adapter, that tests may change.
struct Forms {
  explicit Forms(const train::Shape& shape = toy_shape(),
                 const train::Adapter& adapter = toy_adapter(toy_shape())) {
    const std::string architecture = shape.rope.pairs == RopePairs::kAdjacent ? "llama" : "qwen2";
    const PeftFiles files = encode_peft(adapter, shape, architecture, "acme/base");
    config = files.config;
    peft = decode_safetensors(files.tensors).value();
    gguf = train::encode_adapter(adapter,
                                 {.architecture = architecture, .name = "toy", .lineage = {}});
  }

  void set(std::string name, codec::Value value) {
    codec::Value changed = *codec::parse_json(config);
    changed.set(std::move(name), std::move(value));
    config = codec::to_json(changed);
  }
  std::vector<float>& numbers(const std::string& name) { return peft.tensors.at(name).values; }
  std::string config_fault() const {
    const auto same = check_peft_config(config, catalog::read_gguf_header(gguf).value());
    return same ? "" : same.error().message;
  }
  std::string fault_in(ByteView tensors) const {
    const auto same = check_peft_tensors(tensors, gguf, catalog::read_gguf_header(gguf).value());
    return same ? "" : same.error().message;
  }
  std::string fault() const { return fault_in(encode_safetensors(peft)); }

  std::string config;
  SafeTensors peft;
  Bytes gguf;
};

/// Swaps two rows of a B of rank 3.
void swap_rows(std::vector<float>& b, std::size_t one, std::size_t other) {
  for (std::size_t r = 0; r < 3; ++r) std::swap(b[one * 3 + r], b[other * 3 + r]);
}

TEST(PeftMatch, BothFormsOfOneAdapterAreTheSame) {
  for (const RopePairs pairs : {RopePairs::kAdjacent, RopePairs::kHalves}) {
    for (const std::size_t width : {4U, 6U, 8U}) {
      train::Shape shape = toy_shape(pairs);
      shape.attention.head_width = width;
      for (const std::size_t first_layer : {0U, 2U}) {
        const Forms forms(shape, toy_adapter(shape, first_layer));
        EXPECT_EQ(forms.config_fault(), "");
        EXPECT_EQ(forms.fault(), "") << width;
      }
    }
  }
}

TEST(PeftMatch, ThePartsOfALayerMayDiffer) {
  train::Adapter adapter = toy_adapter(toy_shape());
  adapter.layers[1][Part::kQ] = {};
  adapter.layers[2] = {};
  const Forms forms(toy_shape(), adapter);
  EXPECT_EQ(forms.config_fault(), "");
  EXPECT_EQ(forms.fault(), "");
}

TEST(PeftMatch, OneChangedNumberIsNamed) {
  for (const std::string& name : {kQ, kK, kUp}) {
    Forms forms;
    forms.numbers(name).back() += 0.5F;
    EXPECT_TRUE(forms.fault().starts_with("tensor \"" + name + "\" holds other numbers than blk.0"))
        << forms.fault();
  }
}

TEST(PeftMatch, RowsInAnotherOrderAreAnotherAdapter) {
  Forms moved;
  swap_rows(moved.numbers(kQ), 0, 5);
  EXPECT_TRUE(moved.fault().contains("q_proj.lora_B")) << moved.fault();

  // As they lie in the GGUF file; and as if heads were wider in one tensor than in another.
  const train::Adapter adapter = toy_adapter(toy_shape());
  train::Shape wide = toy_shape();
  wide.attention = {.heads = 2, .kv_heads = 1, .head_width = 8};
  const PeftFiles wider = encode_peft(adapter, wide, "llama", "acme/base");
  const PeftFiles plain = encode_peft(adapter, toy_shape(RopePairs::kHalves), "qwen2", "acme/base");
  EXPECT_TRUE(Forms().fault_in(plain.tensors).contains("holds other numbers"));
  Forms mixed;
  mixed.numbers(kQ) = decode_safetensors(wider.tensors)->tensors.at(kQ).values;
  EXPECT_TRUE(mixed.fault().contains("_proj.lora_B")) << mixed.fault();
}

TEST(PeftMatch, ATensorMoreOrLessIsNamed) {
  Forms less;
  less.peft.tensors.erase(kUp);
  EXPECT_EQ(less.fault(), "tensor " + kUp +
                              " is missing, and blk.0.ffn_up.weight.lora_a is in "
                              "adapter.gguf");
  Forms more;
  more.peft.tensors["base_model.model.lm_head.lora_A.weight"] = {{1}, {0}};
  EXPECT_TRUE(more.fault().contains("lm_head.lora_A.weight\" is not in adapter.gguf"));
  train::Adapter part = toy_adapter(toy_shape());
  part.layers[0][Part::kUp] = {};
  const Forms forms(toy_shape(), part);
  EXPECT_TRUE(forms.fault_in(encode_safetensors(Forms().peft)).contains("is not in adapter.gguf"));
  EXPECT_EQ(Forms().config_fault(), "");
}

TEST(PeftMatch, AnotherShapeIsNamed) {
  Forms forms;
  std::swap(forms.peft.tensors.at(kUp).shape[0], forms.peft.tensors.at(kUp).shape[1]);
  EXPECT_TRUE(forms.fault().contains("has another shape than blk.0.ffn_up.weight.lora_a"));
}

TEST(PeftMatch, WhatIsNoNumberIsNamed) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Forms forms;
    forms.numbers(kUp).front() = value;
    EXPECT_EQ(forms.fault(), "tensor \"" + kUp + "\" holds infinity or NaN");
  }
}

TEST(PeftMatch, AnotherScaleIsNamed) {
  Forms forms;
  forms.set("lora_alpha", 7);
  EXPECT_EQ(forms.config_fault(), "its lora_alpha is 7, and that of adapter.gguf 6");
  forms = Forms();
  forms.set("r", 4);
  EXPECT_TRUE(forms.config_fault().starts_with("its r is 4, and the rank of blk."));
  forms = Forms();
  forms.set("use_rslora", true);
  EXPECT_TRUE(forms.config_fault().contains("use_rslora"));
}

TEST(PeftMatch, AConfigThatChoosesOtherPartsIsNamed) {
  Forms forms;
  forms.set("target_modules", codec::Array{"q_proj"});
  EXPECT_EQ(forms.config_fault(), "it chooses other parts of the model than adapter.gguf");
  const std::string_view unclear = "it names the parts that it adapts by a pattern, or not at all";
  for (const auto& [name, value] : codec::Object{{"target_modules", "q_proj"},
                                                 {"target_modules", nullptr},
                                                 {"layers_pattern", "blocks"},
                                                 {"exclude_modules", ".*q_proj"}}) {
    forms = Forms();
    forms.set(name, value);
    EXPECT_EQ(forms.config_fault(), unclear) << name;
  }
}

TEST(PeftMatch, WhatIsNoSuchFileIsNamed) {
  const Forms forms;
  EXPECT_TRUE(forms.fault_in({}).starts_with("read safetensors: ")) << forms.fault_in({});
  const auto same = check_peft_config("{", catalog::read_gguf_header(forms.gguf).value());
  EXPECT_EQ(same.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace loam::tuning
