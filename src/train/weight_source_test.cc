#include "train/weight_source.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "train/testing/memory_source.h"
#include "train/testing/toy_model.h"

namespace loam::train {
namespace {

using testing::MemorySource;

/// The file that `weights` would come from.
MemorySource file_of(const Weights& weights, const std::string& architecture) {
  MemorySource file;
  const Shape& shape = weights.shape;
  const auto put = [&](const std::string& name, std::vector<std::size_t> sizes,
                       const std::vector<float>& values) {
    if (!values.empty()) file.tensors[name] = {std::move(sizes), values};
  };
  file.texts["general.architecture"] = architecture;
  const std::vector<std::pair<std::string, double>> numbers = {
      {"block_count", shape.layers},
      {"embedding_length", shape.width},
      {"feed_forward_length", shape.ffn_width},
      {"attention.head_count", shape.attention.heads},
      {"attention.head_count_kv", shape.attention.kv_heads},
      {"attention.key_length", shape.attention.head_width},
      {"attention.layer_norm_rms_epsilon", double{shape.norm_epsilon}},
      {"rope.freq_base", double{shape.rope.base}}};
  for (const auto& [key, value] : numbers) file.numbers[format("{}.{}", architecture, key)] = value;
  put("token_embd.weight", {shape.width, shape.vocabulary}, weights.embedding);
  put("output.weight", {shape.width, shape.vocabulary}, weights.head);
  put("output_norm.weight", {shape.width}, weights.final_norm);
  put("rope_freqs.weight", {shape.rope.rotated / 2}, shape.rope.factors);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    const LayerWeights& from = weights.layers[layer];
    put(format("blk.{}.attn_norm.weight", layer), {shape.width}, from.attention_norm);
    put(format("blk.{}.ffn_norm.weight", layer), {shape.width}, from.ffn_norm);
    for (const Part part : kParts) {
      const auto [in, out] = part_size(shape, part);
      put(format("blk.{}.{}.weight", layer, part_name(part)), {in, out}, from.linear[part]);
      put(format("blk.{}.{}.bias", layer, part_name(part)), {out}, from.bias[part]);
    }
  }
  return file;
}

MemorySource llama_file() {
  return file_of(
      testing::toy_weights(testing::toy_shape(), testing::Head::kTied, testing::Bias::kNone),
      "llama");
}

TEST(ReadWeights, FindsEveryTensorOfALlamaWithATiedHead) {
  Shape shape = testing::toy_shape();
  shape.rope.factors = {1, 8};
  Weights weights = testing::toy_weights(shape, testing::Head::kTied, testing::Bias::kNone);
  MemorySource file = file_of(weights, "llama");
  auto read = read_weights(file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->shape.rope.pairs, RopePairs::kAdjacent);
  EXPECT_EQ(read->shape.rope.factors, shape.rope.factors);
  EXPECT_EQ(read->shape.attention.kv_heads, 2);
  EXPECT_TRUE(read->head.empty());
  ASSERT_EQ(read->spans().size(), weights.spans().size());
  for (std::size_t i = 0; i < weights.spans().size(); ++i)
    EXPECT_TRUE(std::ranges::equal(read->spans()[i], weights.spans()[i])) << i;
}

TEST(ReadWeights, FindsBiasesAndHeadOfAQwen) {
  Weights weights = testing::toy_weights(testing::toy_shape(RopePairs::kHalves),
                                         testing::Head::kOwn, testing::Bias::kOfQkv);
  MemorySource file = file_of(weights, "qwen2");
  auto read = read_weights(file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->shape.rope.pairs, RopePairs::kHalves);
  EXPECT_EQ(read->head, weights.head);
  EXPECT_EQ(read->layers[1].bias[Part::kK], weights.layers[1].bias[Part::kK]);
  EXPECT_TRUE(read->layers[1].bias[Part::kDown].empty());
}

TEST(ReadWeights, TakesWhatAFileLeavesOutFromTheRest) {
  MemorySource file = llama_file();
  file.numbers.erase("llama.attention.head_count_kv");
  file.numbers.erase("llama.attention.key_length");
  file.numbers.erase("llama.rope.freq_base");
  auto read = read_weights(file);
  ASSERT_FALSE(read);  // as many keys as queries now, which the tensors do not have
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  file.numbers["llama.attention.head_count_kv"] = 2;
  file.numbers["llama.embedding_length"] = 12;  // 4 heads of 3: not what the tensors have either
  EXPECT_FALSE(read_weights(file));
  file.numbers["llama.attention.key_length"] = 4;
  read = read_weights(file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->shape.rope.base, 10'000);
}

TEST(ReadWeights, RefusesWhatTheTrainerDoesNotKnow) {
  const auto code = [](const MemorySource& changed) {
    MemorySource file = changed;
    const auto read = read_weights(file);
    return read ? std::optional<ErrorCode>() : read.error().code;
  };
  MemorySource file = llama_file();
  EXPECT_EQ(code(file), std::nullopt);
  file.texts["general.architecture"] = "gemma2";
  EXPECT_EQ(code(file), ErrorCode::kUnsupported);
  file = llama_file();
  file.numbers["llama.expert_count"] = 8;
  EXPECT_EQ(code(file), ErrorCode::kUnsupported);
  file = llama_file();
  file.texts["llama.rope.scaling.type"] = "yarn";
  EXPECT_EQ(code(file), ErrorCode::kUnsupported);
}

TEST(ReadWeights, RefusesEveryMissingKeyTensorAndImpossibleNumber) {
  const MemorySource whole = llama_file();
  for (const auto& [name, tensor] : whole.tensors) {
    MemorySource file = whole;
    file.tensors.erase(name);
    EXPECT_FALSE(read_weights(file)) << name;
    file = whole;
    file.tensors[name].sizes.back() += 1;
    EXPECT_FALSE(read_weights(file)) << name;
    file = whole;
    file.tensors[name].values.pop_back();
    const auto read = read_weights(file);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::kUnavailable);
  }
  for (const auto& [key, value] : whole.numbers)
    for (const double wrong : {0.0, -1.0, 1e300}) {
      MemorySource file = whole;
      file.numbers[key] = wrong;
      const auto read = read_weights(file);
      ASSERT_FALSE(read) << key;
      EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    }
}

}  // namespace
}  // namespace loam::train
