#include "tuning/peft.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "codec/json.h"
#include "tuning/peft_config.h"
#include "tuning/quoted.h"
#include "tuning/safetensors.h"

namespace loam::tuning {
namespace {

using train::Part;

/// For each row of a weight as Hugging Face orders it, its row in the GGUF file.
std::vector<std::size_t> file_rows(const train::Shape& shape, Part part) {
  const std::size_t count = part_size(shape, part).out;
  if (shape.rope.pairs == train::RopePairs::kAdjacent && (part == Part::kQ || part == Part::kK))
    return interleaved_rows(count, shape.attention.head_width);
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

SafeTensor lora_b(const train::Shape& shape, Place place, std::size_t rank,
                  const std::vector<float>& up) {
  const std::vector<std::size_t> rows = file_rows(shape, place.part);
  LOAM_CHECK(up.size() == rank * rows.size());
  SafeTensor out{{rows.size(), rank}, std::vector<float>(up.size())};
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t r = 0; r < rank; ++r)
      out.values[row * rank + r] = up[r * rows.size() + rows[row]];
  return out;
}

std::vector<float> up_of(const train::Shape& shape, Place place, std::size_t rank,
                         const std::vector<float>& lora_b) {
  const std::vector<std::size_t> rows = file_rows(shape, place.part);
  std::vector<float> up(lora_b.size());
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t r = 0; r < rank; ++r) up[r * rows.size() + rows[row]] = lora_b[row * rank + r];
  return up;
}

std::unexpected<Error> misfit(const std::string& what) {
  return fail(ErrorCode::kInvalidArgument, "import the adapter: " + what,
              "choose the model that it was trained on, or export it again with PEFT's "
              "save_pretrained()");
}

/// Takes one tensor out of `file`.
Result<std::vector<float>> take(SafeTensors& file, const std::string& name, std::size_t rows,
                                std::size_t columns) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return misfit(format("tensor {} is missing", name));
  SafeTensor tensor = std::move(found->second);
  file.tensors.erase(found);
  if (tensor.shape != std::vector{rows, columns}) {
    std::string sizes;
    for (const std::size_t size : tensor.shape)
      sizes += format("{}{}", sizes.empty() ? "" : ", ", size);
    return misfit(format("tensor {} is [{}], where [{}, {}] fits", name, sizes, rows, columns));
  }
  if (!all_finite(tensor.values))
    return fail(ErrorCode::kCorrupt,
                format("import the adapter: tensor {} holds infinity or NaN", name),
                "its training diverged: train it again, with a lower learning rate");
  return std::move(tensor.values);
}

}  // namespace

std::vector<std::size_t> interleaved_rows(std::size_t count, std::size_t head_width) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const std::size_t half = head_width / 2;
  for (std::size_t head = 0; head < count; head += head_width)
    for (std::size_t i = 0; i < half; ++i) {
      rows[head + i] = head + 2 * i;
      rows[head + half + i] = head + 2 * i + 1;
    }
  return rows;
}

PeftFiles encode_peft(const train::Adapter& adapter, const train::Shape& shape,
                      std::string_view architecture, std::string_view base_model_name) {
  LOAM_CHECK(is_known_to_peft(architecture));
  LOAM_CHECK((architecture == "llama") == (shape.rope.pairs == train::RopePairs::kAdjacent));
  LOAM_CHECK(adapter.layers.size() == shape.layers);
  std::vector<Place> places;
  SafeTensors file{.tensors = {}, .metadata = {{"format", "pt"}}};
  for (const Place place : all_places(shape.layers)) {
    const auto& [down, up] = adapter.layers[place.layer][place.part];
    if (down.empty()) continue;
    places.push_back(place);
    file.tensors[tensor_name(place, Factor::kA)] = {{adapter.rank, part_size(shape, place.part).in},
                                                    down};
    file.tensors[tensor_name(place, Factor::kB)] = lora_b(shape, place, adapter.rank, up);
  }
  return {encode_peft_config({adapter.rank, adapter.alpha, std::move(places)}, shape.layers,
                             base_model_name),
          encode_safetensors(file)};
}

Result<train::Adapter> decode_peft(std::string_view config, ByteView tensors,
                                   const train::Shape& shape, std::string_view architecture) {
  if (!is_known_to_peft(architecture))
    return fail(ErrorCode::kUnsupported,
                format("import the adapter: for a model of architecture {}", quoted(architecture)),
                "choose a model of the Llama or Qwen2 family");
  LOAM_CHECK((architecture == "llama") == (shape.rope.pairs == train::RopePairs::kAdjacent));
  const PeftConfig wanted = LOAM_TRY(decode_peft_config(config, shape.layers));
  SafeTensors file = LOAM_TRY(decode_safetensors(tensors));
  const auto is_there = [&](Place place) {
    return file.tensors.contains(tensor_name(place, Factor::kA)) ||
           file.tensors.contains(tensor_name(place, Factor::kB));
  };
  std::vector<Place> places;
  if (wanted.places)
    places = *wanted.places;
  else
    std::ranges::copy_if(all_places(shape.layers), std::back_inserter(places), is_there);
  if (places.empty()) return misfit("it adapts no part of this model");

  train::Adapter out{wanted.rank, wanted.alpha, {}};
  out.layers.resize(shape.layers);
  for (const Place place : places) {
    const auto [in, size] = part_size(shape, place.part);
    train::Adapter::Pair& pair = out.layers[place.layer][place.part];
    pair.down = LOAM_TRY(take(file, tensor_name(place, Factor::kA), wanted.rank, in));
    const std::vector<float> lora_b =
        LOAM_TRY(take(file, tensor_name(place, Factor::kB), size, wanted.rank));
    pair.up = up_of(shape, place, wanted.rank, lora_b);
  }
  if (!file.tensors.empty())
    return misfit(
        format("tensor {} belongs to no part that its config chooses in this model of {} "
               "layers",
               quoted(file.tensors.begin()->first), shape.layers));
  return out;
}

}  // namespace loam::tuning
