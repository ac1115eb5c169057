// Reading a model to train from its file.
//
// What reads the file and knows its weight formats is not here: ggml does, in the module that is
// its home. This is what the trainer needs of it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "train/weights.h"

namespace loam::train {

/// A GGUF file that is open. It is not trusted, but its tensors are known to lie within it.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// Metadata of that type; nothing if the key is absent or of another type.
  virtual std::optional<std::string> text(std::string_view key) const = 0;
  virtual std::optional<double> number(std::string_view key) const = 0;  // any kind of number

  /// The sizes of a tensor, the fastest first: [in, out] of a linear layer. Nothing if it is
  /// absent.
  virtual std::optional<std::vector<std::size_t>> sizes(std::string_view tensor) const = 0;

  /// All its numbers as binary32, whatever format they are stored in.
  /// @param to  as many as its sizes say.
  virtual Result<> read(std::string_view tensor, std::span<float> to) = 0;
};

/// What a model's metadata and the sizes of its tensors say, without reading its weights.
/// @error as read_weights().
Result<Shape> read_shape(WeightSource& source);

/// Reads a whole model. Memory grows only with tensors that are there.
/// @error Unsupported  not of the family that the trainer knows; the message says what differs.
/// @error Corrupt  a key or tensor is missing or has impossible sizes. What read() returns.
/// @source GGUF specification; llama.cpp's names of keys and tensors.
Result<Weights> read_weights(WeightSource& source);

}  // namespace loam::train
