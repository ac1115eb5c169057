#include "train/adapter_gguf.h"

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/format.h"

namespace loam::train {
namespace {

constexpr std::size_t kAlignment = 32;  // GGUF's, if the file names no other
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kFloat = 6;  // types of metadata
constexpr std::uint32_t kText = 8;
constexpr std::uint32_t kBinary32 = 0;  // a type of tensors

class Writer {
 public:
  template <class Whole>
  void whole(Whole value) {  // little-endian
    for (std::size_t i = 0; i < sizeof value; ++i)
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void number(float value) { whole(std::bit_cast<std::uint32_t>(value)); }
  void text(std::string_view value) {
    whole(std::uint64_t{value.size()});
    raw(value);
  }
  void raw(std::string_view value) { bytes_.insert(bytes_.end(), value.begin(), value.end()); }
  void pair(std::string_view key, std::string_view value) {
    text(key);
    whole(kText);
    text(value);
  }
  void align() { bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment); }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

struct Tensor {
  std::string name;
  std::size_t sizes[2];  // the fastest first
  std::vector<float> values;
};

std::vector<float> transposed(const std::vector<float>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<float> out(values.size());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column)
      out[column * rows + row] = values[row * columns + column];
  return out;
}

std::vector<Tensor> tensors_of(const Adapter& adapter) {
  std::vector<Tensor> all;
  const std::size_t rank = adapter.rank;
  for (std::size_t layer = 0; layer < adapter.layers.size(); ++layer)
    for (const Part part : kParts) {
      const auto& [down, up] = adapter.layers[layer][part];
      if (down.empty()) continue;
      const std::string base = format("blk.{}.{}.weight", layer, part_name(part));
      all.push_back({base + ".lora_a", {down.size() / rank, rank}, down});
      all.push_back({base + ".lora_b", {rank, up.size() / rank}, transposed(up, rank)});
    }
  return all;
}

}  // namespace

Bytes encode_adapter(const Adapter& adapter, const AdapterFacts& facts) {
  const std::vector<Tensor> tensors = tensors_of(adapter);
  Writer out;
  out.raw("GGUF");
  out.whole(kVersion);
  out.whole(std::uint64_t{tensors.size()});
  out.whole(std::uint64_t{5 + facts.lineage.size()});
  out.pair("general.type", "adapter");
  out.pair("general.architecture", facts.architecture);
  out.pair("general.name", facts.name);
  out.pair("adapter.type", "lora");
  out.text("adapter.lora.alpha");
  out.whole(kFloat);
  out.number(adapter.alpha);
  for (const auto& [key, value] : facts.lineage) out.pair(key, value);

  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    out.text(tensor.name);
    out.whole(std::uint32_t{2});
    for (const std::size_t size : tensor.sizes) out.whole(std::uint64_t{size});
    out.whole(kBinary32);
    out.whole(offset);
    const std::uint64_t bytes = tensor.values.size() * sizeof(float);
    offset += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  for (const Tensor& tensor : tensors) {
    out.align();
    for (const float value : tensor.values) out.number(value);
  }
  out.align();
  return out.take();
}

}  // namespace loam::train
