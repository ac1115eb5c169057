// Tensors by name as one file, in the form that trainers elsewhere read and write.
//
//   u64 length of the header, little-endian | header, JSON | numbers, little-endian, row by row
//   {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
//
// @source https://github.com/huggingface/safetensors, README "Format" and safetensors/src/tensor.rs
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::tuning {

struct SafeTensor {
  std::vector<std::size_t> shape;  // the slowest first; none: one number
  std::vector<float> values;       // as many as the shape says

  friend bool operator==(const SafeTensor&, const SafeTensor&) = default;
};

struct SafeTensors {
  std::map<std::string, SafeTensor> tensors;  // names are UTF-8, and none is "__metadata__"
  std::map<std::string, std::string> metadata;

  friend bool operator==(const SafeTensors&, const SafeTensors&) = default;
};

/// All tensors as binary32, sorted by name, the header padded with spaces to 8 bytes: the bytes
/// that the reference implementation writes of these tensors. The same for the same argument.
Bytes encode_safetensors(const SafeTensors& file);

/// Reads F32, F16 and BF16, each number exactly. Stricter than the reference implementation: no
/// name stands twice, and a tensor has no further field. Infinities and NaN pass: all_finite().
/// Needs memory for twice the bytes there are, and for the header.
/// @error Corrupt      no such file; its numbers are not covered exactly once; a header over 100
/// MB.
/// @error Unsupported  a tensor of another type.
Result<SafeTensors> decode_safetensors(ByteView bytes);

enum class SafeTensorType { kBinary32, kBinary16, kBrain16 };

/// A tensor where it lies in the bytes of a file.
struct SafeTensorPlace {
  std::string name;
  std::vector<std::size_t> shape;
  SafeTensorType type;
  ByteView bytes;  // as many as the shape says
};

/// What decode_safetensors() reads without the numbers, as it lies in `bytes`: for who needs one
/// tensor after the other, of a file whose shapes nobody has looked at.
/// @error as decode_safetensors().
Result<std::vector<SafeTensorPlace>> find_safetensors(ByteView bytes);

std::vector<float> numbers_of(const SafeTensorPlace& tensor);

/// Whether there is neither an infinity nor NaN.
bool all_finite(std::span<const float> values);

}  // namespace loam::tuning
