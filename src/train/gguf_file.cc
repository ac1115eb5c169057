#include "train/gguf_file.h"

#include <bit>

#include "base/check.h"

namespace loam::train {
namespace {

constexpr std::size_t kAlignment = 32;  // GGUF's, if the file names no other
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kWhole = 4;  // types of metadata
constexpr std::uint32_t kFloat = 6;
constexpr std::uint32_t kText = 8;
constexpr std::uint32_t kBinary32 = 0;  // a type of tensors

void put(Bytes& out, std::uint64_t value, std::size_t bytes) {  // little-endian
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}
void put(Bytes& out, std::string_view text) {
  put(out, text.size(), 8);
  out.insert(out.end(), text.begin(), text.end());
}
void put(Bytes& out, float value) { put(out, std::bit_cast<std::uint32_t>(value), 4); }
void align(Bytes& bytes) {
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

void GgufFile::text(std::string_view key, std::string_view value) {
  ++pair_count_;
  put(pairs_, key);
  put(pairs_, kText, 4);
  put(pairs_, value);
}

void GgufFile::number(std::string_view key, float value) {
  ++pair_count_;
  put(pairs_, key);
  put(pairs_, kFloat, 4);
  put(pairs_, value);
}

void GgufFile::whole(std::string_view key, std::uint32_t value) {
  ++pair_count_;
  put(pairs_, key);
  put(pairs_, kWhole, 4);
  put(pairs_, value, 4);
}

void GgufFile::pairs(ByteView bytes, std::uint64_t count) {
  pair_count_ += count;
  pairs_.insert(pairs_.end(), bytes.begin(), bytes.end());
}

void GgufFile::tensor(std::string_view name, const std::vector<std::size_t>& sizes,
                      std::span<const float> values) {
  std::size_t size = 1;
  ++tensor_count_;
  put(tensors_, name);
  put(tensors_, sizes.size(), 4);
  for (const std::size_t one : sizes) {
    put(tensors_, one, 8);
    size *= one;
  }
  LOAM_CHECK(size == values.size());
  put(tensors_, kBinary32, 4);
  put(tensors_, data_.size(), 8);
  for (const float value : values) put(data_, value);
  align(data_);
}

Bytes GgufFile::bytes() const {
  constexpr std::string_view kMagic = "GGUF";
  Bytes out(kMagic.begin(), kMagic.end());
  put(out, kVersion, 4);
  put(out, tensor_count_, 8);
  put(out, pair_count_, 8);
  out.insert(out.end(), pairs_.begin(), pairs_.end());
  out.insert(out.end(), tensors_.begin(), tensors_.end());
  align(out);
  out.insert(out.end(), data_.begin(), data_.end());
  return out;
}

}  // namespace loam::train
