#include "train/weight_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"

namespace loam::train {
namespace {

constexpr std::size_t kSizeMax = 1U << 20;  // of whatever a model counts: none comes near

class Reader {
 public:
  explicit Reader(WeightSource& source) : source_(source) {}

  Result<Weights> read();
  Result<Shape> read_shape();

 private:
  Result<> read_layer(const std::string& prefix, const Shape& shape, LayerWeights& to);

  Result<std::size_t> count(std::string_view key, std::optional<std::size_t> otherwise = {});
  Result<float> positive(std::string_view key, std::optional<float> otherwise = {});
  /// A tensor of exactly these sizes.
  Result<std::vector<float>> tensor(const std::string& name, const std::vector<std::size_t>& sizes);
  /// The same, or nothing if it is absent.
  Result<std::vector<float>> optional_tensor(const std::string& name, std::size_t size);

  std::string full(std::string_view key) const { return format("{}.{}", architecture_, key); }

  WeightSource& source_;
  std::string architecture_;
};

std::unexpected<Error> unsupported(std::string what) {
  return fail(ErrorCode::kUnsupported, "train on this model: " + std::move(what),
              "choose a model of the Llama or Qwen2 family, such as SmolLM2 or Qwen2.5");
}

std::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, "read the model's weights: " + std::move(what),
              "pull the model again");
}

Result<std::size_t> Reader::count(std::string_view key, std::optional<std::size_t> otherwise) {
  const std::optional<double> found = source_.number(full(key));
  if (!found && otherwise) return *otherwise;
  if (!found) return corrupt(format("{} is missing", full(key)));
  if (!(*found >= 1 && *found <= kSizeMax) || *found != std::floor(*found))
    return corrupt(format("{} is {}, not a count", full(key), *found));
  return static_cast<std::size_t>(*found);
}

Result<float> Reader::positive(std::string_view key, std::optional<float> otherwise) {
  const std::optional<double> found = source_.number(full(key));
  if (!found && otherwise) return *otherwise;
  if (!found) return corrupt(format("{} is missing", full(key)));
  if (!(*found > 0 && *found < 1e12))
    return corrupt(format("{} is {}, not a number above 0", full(key), *found));
  return static_cast<float>(*found);
}

Result<std::vector<float>> Reader::tensor(const std::string& name,
                                          const std::vector<std::size_t>& sizes) {
  const auto found = source_.sizes(name);
  if (!found) return corrupt(format("tensor {} is missing", name));
  if (*found != sizes) return corrupt(format("tensor {} has other sizes than the model", name));
  std::size_t size = 1;
  for (const std::size_t one : sizes) size *= one;
  std::vector<float> out(size);
  LOAM_TRY(source_.read(name, out));
  return out;
}

Result<std::vector<float>> Reader::optional_tensor(const std::string& name, std::size_t size) {
  if (!source_.sizes(name)) return std::vector<float>();
  return tensor(name, {size});
}

Result<Shape> Reader::read_shape() {
  architecture_ = source_.text("general.architecture").value_or("");
  if (architecture_ != "llama" && architecture_ != "qwen2")
    return unsupported(format("its architecture is {}", architecture_));
  if (source_.number(full("expert_count")).value_or(0) > 0) return unsupported("it has experts");
  const std::string scaling = source_.text(full("rope.scaling.type")).value_or("none");
  if (scaling != "none") return unsupported(format("it scales positions ({})", scaling));

  Shape shape{};
  shape.layers = LOAM_TRY(count("block_count"));
  shape.width = LOAM_TRY(count("embedding_length"));
  shape.ffn_width = LOAM_TRY(count("feed_forward_length"));
  shape.norm_epsilon = LOAM_TRY(positive("attention.layer_norm_rms_epsilon"));
  AttentionShape& attention = shape.attention;
  attention.heads = LOAM_TRY(count("attention.head_count"));
  attention.kv_heads = LOAM_TRY(count("attention.head_count_kv", attention.heads));
  if (attention.heads % attention.kv_heads != 0)
    return corrupt(format("{} heads cannot share {}", attention.heads, attention.kv_heads));
  attention.head_width = LOAM_TRY(
      count("attention.key_length", std::max<std::size_t>(shape.width / attention.heads, 1)));
  if (LOAM_TRY(count("attention.value_length", attention.head_width)) != attention.head_width)
    return unsupported("its keys and values differ in width");
  shape.rope = {.head_width = attention.head_width,
                .rotated = LOAM_TRY(count("rope.dimension_count", attention.head_width)),
                .base = LOAM_TRY(positive("rope.freq_base", 10'000.0F)),
                .pairs = architecture_ == "llama" ? RopePairs::kAdjacent : RopePairs::kHalves,
                .factors = {}};
  if (shape.rope.rotated > attention.head_width || shape.rope.rotated % 2 != 0)
    return corrupt(
        format("{} of {} numbers of a head turn", shape.rope.rotated, attention.head_width));
  shape.rope.factors = LOAM_TRY(optional_tensor("rope_freqs.weight", shape.rope.rotated / 2));
  for (const float factor : shape.rope.factors)
    if (!(factor >= 1e-3F && factor <= 1e6F)) return corrupt("rope_freqs.weight has no factors");

  const auto embedding = source_.sizes("token_embd.weight");
  if (!embedding || embedding->size() != 2 || (*embedding)[1] == 0)
    return corrupt("tensor token_embd.weight is missing or no table");
  shape.vocabulary = (*embedding)[1];
  return shape;
}

Result<> Reader::read_layer(const std::string& prefix, const Shape& shape, LayerWeights& to) {
  to.attention_norm = LOAM_TRY(tensor(prefix + "attn_norm.weight", {shape.width}));
  to.ffn_norm = LOAM_TRY(tensor(prefix + "ffn_norm.weight", {shape.width}));
  for (const Part part : kParts) {
    const auto [in, out] = part_size(shape, part);
    const std::string name = prefix + std::string(part_name(part));
    to.linear[part] = LOAM_TRY(tensor(name + ".weight", {in, out}));
    to.bias[part] = LOAM_TRY(optional_tensor(name + ".bias", out));
  }
  return {};
}

Result<Weights> Reader::read() {
  Weights out{
      .shape = LOAM_TRY(read_shape()), .embedding = {}, .layers = {}, .final_norm = {}, .head = {}};
  const Shape& shape = out.shape;
  out.embedding = LOAM_TRY(tensor("token_embd.weight", {shape.width, shape.vocabulary}));
  for (std::size_t layer = 0; layer < shape.layers; ++layer)
    LOAM_TRY(read_layer(format("blk.{}.", layer), shape, out.layers.emplace_back()));
  out.final_norm = LOAM_TRY(tensor("output_norm.weight", {shape.width}));
  if (source_.sizes("output.weight"))
    out.head = LOAM_TRY(tensor("output.weight", {shape.width, shape.vocabulary}));
  return out;
}

}  // namespace

Result<Shape> read_shape(WeightSource& source) { return Reader(source).read_shape(); }

Result<Weights> read_weights(WeightSource& source) { return Reader(source).read(); }

}  // namespace loam::train
