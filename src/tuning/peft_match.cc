#include "tuning/peft_match.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "engine/dequantize.h"
#include "tuning/peft.h"
#include "tuning/peft_config.h"
#include "tuning/quoted.h"
#include "tuning/safetensors.h"

namespace loam::tuning {
namespace {

using catalog::GgufHeader;
using catalog::GgufTensor;
using train::Part;

constexpr std::int64_t kLayersMax = 1000;                       // chosen: a hundred are many
constexpr std::size_t kNumbersMax = std::size_t{1} << 26;       // chosen: rank 256 of 262,144 rows
constexpr std::size_t kHeadWidthMin = 4, kHeadWidthMax = 1024;  // chosen: 64 to 256 are usual

std::unexpected<Error> differs(std::string what) {
  return fail(ErrorCode::kInvalidArgument, std::move(what),
              "what the gate measured is adapter.gguf: use that one");
}

/// One half of a pair in the GGUF file.
struct Half {
  Place place;
  Factor factor;
  const GgufTensor* tensor;

  std::size_t size(std::size_t dimension) const {
    return static_cast<std::size_t>(tensor->sizes[dimension]);
  }
  std::size_t rank() const { return size(factor == Factor::kA ? 1 : 0); }
};

std::optional<Place> place_of(std::string_view layer, std::string_view name) {
  const auto number = parse_int(layer);
  if (!number || *number < 0 || *number >= kLayersMax) return std::nullopt;
  for (const Part part : train::kParts)
    if (train::part_name(part) == name) return Place{static_cast<std::size_t>(*number), part};
  return std::nullopt;
}

/// "blk.3.attn_q.weight.lora_a" and no other spelling of it.
std::optional<Half> half_of(const GgufTensor& tensor) {
  const std::vector<std::string_view> words = split(tensor.name, '.');
  if (words.size() != 5 || tensor.sizes.size() != 2) return std::nullopt;
  const auto place = place_of(words[1], words[2]);
  if (!place) return std::nullopt;
  const Half out{*place, words[4] == "lora_a" ? Factor::kA : Factor::kB, &tensor};
  const std::string name =
      format("blk.{}.{}.weight.lora_{}", place->layer, train::part_name(place->part),
             out.factor == Factor::kA ? 'a' : 'b');
  return name == tensor.name ? std::optional(out) : std::nullopt;
}

/// By their names in PEFT's file.
Result<std::map<std::string, Half>> halves_of(const GgufHeader& header) {
  std::map<std::string, Half> out;
  for (const GgufTensor& tensor : header.tensors) {
    const auto half = half_of(tensor);
    if (!half)
      return differs(format("adapter.gguf has tensor {}, for which PEFT's files have no name here",
                            tuning::quoted(tensor.name)));
    out.emplace(tensor_name(half->place, half->factor), *half);
  }
  return out;
}

Result<std::vector<float>> numbers_of(const GgufTensor& tensor, ByteView gguf) {
  std::vector<float> out(static_cast<std::size_t>(tensor.sizes[0] * tensor.sizes[1]));
  // A copy, since the numbers may lie at any address.
  const ByteView lies =
      gguf.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.bytes));
  LOAM_TRY(engine::dequantize(tensor.type, Bytes(lies.begin(), lies.end()), out));
  return out;
}

/// Compares tensor by tensor, and learns from q and k how wide a head may be.
class Match {
 public:
  Match(const GgufHeader& header, ByteView gguf)
      : gguf_(gguf), is_interleaved_(header.facts.architecture == "llama") {
    for (std::size_t width = kHeadWidthMin; width <= kHeadWidthMax; width += 2)
      widths_.push_back(width);
  }

  Result<> check(const SafeTensorPlace& theirs, const Half& half) {
    const std::vector<std::size_t> wanted{half.size(1), half.size(0)};
    const std::string name = tuning::quoted(theirs.name);
    if (theirs.shape != wanted)
      return differs(
          format("tensor {} has another shape than {} of adapter.gguf", name, half.tensor->name));
    if (wanted[0] > kNumbersMax / wanted[1])
      return differs(format("tensor {} is too large to be compared", name));
    const std::vector<float> found = tuning::numbers_of(theirs);
    if (!all_finite(found))
      return fail(ErrorCode::kCorrupt, format("tensor {} holds infinity or NaN", name),
                  "its training diverged, or it was damaged: it is not one to use");
    const std::vector<float> numbers = LOAM_TRY(numbers_of(*half.tensor, gguf_));
    const bool is_reordered = is_interleaved_ && half.factor == Factor::kB &&
                              (half.place.part == Part::kQ || half.place.part == Part::kK);
    if (!(is_reordered ? is_same_by_heads(found, numbers, half.rank()) : found == numbers))
      return differs(
          format("tensor {} holds other numbers than {} of adapter.gguf", name, half.tensor->name));
    return {};
  }

 private:
  bool is_same_by_heads(const std::vector<float>& theirs, const std::vector<float>& ours,
                        std::size_t rank) {
    const std::size_t count = ours.size() / rank;
    std::erase_if(widths_, [&](std::size_t width) {
      if (count % width != 0) return true;
      const std::vector<std::size_t> rows = interleaved_rows(count, width);
      for (std::size_t row = 0; row < count; ++row) {
        const auto begin = theirs.begin() + static_cast<std::ptrdiff_t>(row * rank);
        if (!std::equal(begin, begin + static_cast<std::ptrdiff_t>(rank),
                        ours.begin() + static_cast<std::ptrdiff_t>(rows[row] * rank)))
          return true;
      }
      return false;
    });
    return !widths_.empty();
  }

  const ByteView gguf_;
  const bool is_interleaved_;
  std::vector<std::size_t> widths_;  // that fit all so far
};

}  // namespace

Result<> check_peft_config(std::string_view config, const GgufHeader& header) {
  const auto halves = LOAM_TRY(halves_of(header));
  std::set<Place> places;
  for (const auto& [name, half] : halves) places.insert(half.place);
  if (places.empty()) return differs("adapter.gguf adapts nothing");
  const PeftConfig said = LOAM_TRY(decode_peft_config(config, places.rbegin()->layer + 1));
  const auto alpha = header.numbers.find("adapter.lora.alpha");
  if (alpha == header.numbers.end() || alpha->second != double{said.alpha})
    return differs(format("its lora_alpha is {}, and that of adapter.gguf {}", said.alpha,
                          alpha == header.numbers.end() ? 0 : alpha->second));
  for (const auto& [name, half] : halves)
    if (half.rank() != said.rank)
      return differs(format("its r is {}, and the rank of {} in adapter.gguf {}", said.rank,
                            half.tensor->name, half.rank()));
  if (!said.places) return differs("it names the parts that it adapts by a pattern, or not at all");
  if (!std::ranges::equal(*said.places, places))
    return differs("it chooses other parts of the model than adapter.gguf");
  return {};
}

Result<> check_peft_tensors(ByteView tensors, ByteView gguf, const GgufHeader& header) {
  auto halves = LOAM_TRY(halves_of(header));
  Match match(header, gguf);
  for (const SafeTensorPlace& theirs : LOAM_TRY(find_safetensors(tensors))) {
    const auto half = halves.find(theirs.name);
    if (half == halves.end())
      return differs(format("tensor {} is not in adapter.gguf", tuning::quoted(theirs.name)));
    LOAM_TRY(match.check(theirs, half->second));
    halves.erase(half);
  }
  if (!halves.empty())
    return differs(format("tensor {} is missing, and {} is in adapter.gguf", halves.begin()->first,
                          halves.begin()->second.tensor->name));
  return {};
}

}  // namespace loam::tuning
