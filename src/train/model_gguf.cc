#include "train/model_gguf.h"

#include "base/format.h"
#include "train/gguf_file.h"

namespace loam::train {
namespace {

constexpr std::uint32_t kAllBinary32 = 0;  // a value of general.file_type

void add_layer(GgufFile& out, const Shape& shape, const LayerWeights& layer, std::size_t index) {
  const auto name = [&](std::string_view tensor, std::string_view kind) {
    return format("blk.{}.{}.{}", index, tensor, kind);
  };
  out.tensor(name("attn_norm", "weight"), {shape.width}, layer.attention_norm);
  for (const Part part : kParts) {
    const auto [in, size] = part_size(shape, part);
    out.tensor(name(part_name(part), "weight"), {in, size}, layer.linear[part]);
    if (!layer.bias[part].empty())
      out.tensor(name(part_name(part), "bias"), {size}, layer.bias[part]);
  }
  out.tensor(name("ffn_norm", "weight"), {shape.width}, layer.ffn_norm);
}

}  // namespace

Bytes encode_model(const Weights& weights, const ModelFile& file) {
  const Shape& shape = weights.shape;
  GgufFile out;
  out.pairs(file.pairs, file.pair_count);
  out.whole("general.file_type", kAllBinary32);
  out.text("general.name", file.name);
  for (const auto& [key, value] : file.lineage) out.text(key, value);

  out.tensor("token_embd.weight", {shape.width, shape.vocabulary}, weights.embedding);
  for (std::size_t layer = 0; layer < shape.layers; ++layer)
    add_layer(out, shape, weights.layers[layer], layer);
  out.tensor("output_norm.weight", {shape.width}, weights.final_norm);
  if (!weights.head.empty())
    out.tensor("output.weight", {shape.width, shape.vocabulary}, weights.head);
  if (!shape.rope.factors.empty())
    out.tensor("rope_freqs.weight", {shape.rope.factors.size()}, shape.rope.factors);
  return out.bytes();
}

}  // namespace loam::train
