#include "train/adapter_gguf.h"

#include "base/format.h"
#include "train/gguf_file.h"

namespace loam::train {
namespace {

std::vector<float> transposed(const std::vector<float>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<float> out(values.size());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column)
      out[column * rows + row] = values[row * columns + column];
  return out;
}

}  // namespace

Bytes encode_adapter(const Adapter& adapter, const AdapterFacts& facts) {
  GgufFile out;
  out.text("general.type", "adapter");
  out.text("general.architecture", facts.architecture);
  out.text("general.name", facts.name);
  out.text("adapter.type", "lora");
  out.number("adapter.lora.alpha", adapter.alpha);
  for (const auto& [key, value] : facts.lineage) out.text(key, value);

  const std::size_t rank = adapter.rank;
  for (std::size_t layer = 0; layer < adapter.layers.size(); ++layer)
    for (const Part part : kParts) {
      const auto& [down, up] = adapter.layers[layer][part];
      if (down.empty()) continue;
      const std::string base = format("blk.{}.{}.weight", layer, part_name(part));
      out.tensor(base + ".lora_a", {down.size() / rank, rank}, down);
      out.tensor(base + ".lora_b", {rank, up.size() / rank}, transposed(up, rank));
    }
  return out.bytes();
}

}  // namespace loam::train
