// The twin of a GGUF file: a model in memory.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/weight_source.h"

namespace loam::train::testing {

class MemorySource : public WeightSource {
 public:
  struct Tensor {
    std::vector<std::size_t> sizes;
    std::vector<float> values;
  };
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, double, std::less<>> numbers;
  std::map<std::string, Tensor, std::less<>> tensors;

  std::optional<std::string> text(std::string_view key) const override {
    const auto found = texts.find(key);
    return found == texts.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<double> number(std::string_view key) const override {
    const auto found = numbers.find(key);
    return found == numbers.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::vector<std::size_t>> sizes(std::string_view tensor) const override {
    const auto found = tensors.find(tensor);
    return found == tensors.end() ? std::nullopt : std::optional(found->second.sizes);
  }
  Result<> read(std::string_view tensor, std::span<float> to) override {
    const std::vector<float>& values = tensors.find(tensor)->second.values;
    if (values.size() != to.size()) return fail(ErrorCode::kUnavailable, "the disk failed");
    std::ranges::copy(values, to.begin());
    return {};
  }
};

}  // namespace loam::train::testing
