// A GGUF file in the making: what adapters and whole models share. Inside this module only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace loam::train {

/// Collects metadata and tensors; bytes() lays them out. The same calls give the same bytes.
/// @source GGUF specification, version 3.
class GgufFile {
 public:
  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, float value);
  void whole(std::string_view key, std::uint32_t value);
  /// `count` pairs as they stand in another file.
  void pairs(ByteView bytes, std::uint64_t count);
  /// As binary32. @param sizes  the fastest first.
  void tensor(std::string_view name, const std::vector<std::size_t>& sizes,
              std::span<const float> values);

  Bytes bytes() const;

 private:
  Bytes pairs_, tensors_, data_;
  std::uint64_t pair_count_ = 0, tensor_count_ = 0;
};

}  // namespace loam::train
