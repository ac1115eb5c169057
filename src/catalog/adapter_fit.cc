#include "catalog/adapter_fit.h"

#include <map>
#include <string>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::catalog {
namespace {

constexpr std::string_view kEndA = ".lora_a", kEndB = ".lora_b";

std::unexpected<Error> unfit(std::string what) {
  return fail(ErrorCode::kInvalidArgument, "use the adapter: " + std::move(what),
              "an adapter works with the model that it was trained on, and no other");
}

std::string text_of(const GgufHeader& header, std::string_view key) {
  const auto found = header.texts.find(key);
  return found == header.texts.end() ? std::string() : found->second;
}

using Tensors = std::map<std::string_view, const GgufTensor*>;

Tensors by_name(const GgufHeader& header) {
  Tensors out;
  for (const GgufTensor& tensor : header.tensors) out.emplace(tensor.name, &tensor);
  return out;
}

/// Of a tensor with two dimensions; else nothing fits.
std::uint64_t size(const GgufTensor& tensor, std::size_t dimension) {
  return tensor.sizes.size() == 2 ? tensor.sizes[dimension] : 0;
}

Result<> check_pair(const Tensors& base, const Tensors& adapter, const GgufTensor& a) {
  const std::string name = a.name.substr(0, a.name.size() - kEndA.size());
  const std::string shown = replace_invalid_utf8(name);
  const auto target = base.find(name);
  if (target == base.end()) return unfit(format("the model has no tensor {}", shown));
  const auto b = adapter.find(name + std::string(kEndB));
  if (b == adapter.end()) return unfit(format("{} has one half only", shown));
  if (size(a, 0) == 0 || size(a, 0) != size(*target->second, 0) ||
      size(*b->second, 1) != size(*target->second, 1) || size(a, 1) != size(*b->second, 0))
    return unfit(format("its sizes for {} are not those of the model", shown));
  return {};
}

}  // namespace

Result<> check_adapter(const GgufHeader& base, const GgufHeader& adapter) {
  if (text_of(adapter, "general.type") != "adapter" || text_of(adapter, "adapter.type") != "lora")
    return unfit("the file is no LoRA adapter");
  if (adapter.facts.architecture != base.facts.architecture)
    return unfit(format("it is for the architecture {}, and the model is {}",
                        adapter.facts.architecture, base.facts.architecture));
  const Tensors below = by_name(base), own = by_name(adapter);
  if (own.empty()) return unfit("it holds no tensor");
  for (const GgufTensor& tensor : adapter.tensors) {
    const bool first = tensor.name.ends_with(kEndA);
    if (!first && !tensor.name.ends_with(kEndB))
      return unfit(format("{} is no half of a LoRA", replace_invalid_utf8(tensor.name)));
    if (first) {
      if (auto fits = check_pair(below, own, tensor); !fits) return fits;
    } else if (!own.contains(tensor.name.substr(0, tensor.name.size() - kEndB.size()) +
                             std::string(kEndA))) {
      return unfit(format("{} has one half only", replace_invalid_utf8(tensor.name)));
    }
  }
  return {};
}

}  // namespace loam::catalog
