// Small GGUF files for tests, whole or broken on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loam::catalog::testing {

/// Collects metadata and tensors; bytes() lays them out. Numbers are little-endian.
class GgufWriter {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;

  static void put(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
  static void put_text(std::string& out, std::string_view text) {
    put(out, text.size(), 8);
    out += text;
  }

  GgufWriter& text(std::string_view key, std::string_view value) {
    begin(key, 8);
    put_text(pairs_, value);
    return *this;
  }
  GgufWriter& u32(std::string_view key, std::uint32_t value) {
    begin(key, 4);
    put(pairs_, value, 4);
    return *this;
  }
  GgufWriter& u32_list(std::string_view key, const std::vector<std::uint32_t>& values) {
    begin(key, 9);
    put(pairs_, 4, 4);
    put(pairs_, values.size(), 8);
    for (const std::uint32_t value : values) put(pairs_, value, 4);
    return *this;
  }
  GgufWriter& text_list(std::string_view key, const std::vector<std::string>& values) {
    begin(key, 9);
    put(pairs_, 8, 4);
    put(pairs_, values.size(), 8);
    for (const std::string& value : values) put_text(pairs_, value);
    return *this;
  }
  /// A pair whose value is these raw bytes.
  GgufWriter& raw(std::string_view key, std::uint32_t type, std::string_view value) {
    begin(key, type);
    pairs_ += value;
    return *this;
  }
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                     std::uint32_t type, std::uint64_t bytes) {
    return tensor(name, shape, type, std::string(bytes, '\0'));
  }
  /// A tensor with this content.
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                     std::uint32_t type, std::string_view content) {
    tensor_at(name, shape, type, data_.size());
    data_ += content;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }
  /// A tensor at any offset; adds no data.
  GgufWriter& tensor_at(std::string_view name, const std::vector<std::uint64_t>& shape,
                        std::uint32_t type, std::uint64_t offset) {
    ++tensor_count;
    put_text(tensors_, name);
    put(tensors_, shape.size(), 4);
    for (const std::uint64_t extent : shape) put(tensors_, extent, 8);
    put(tensors_, type, 4);
    put(tensors_, offset, 8);
    return *this;
  }

  std::string bytes() const {
    std::string out = "GGUF";
    put(out, version, 4);
    put(out, tensor_count, 8);
    put(out, pair_count, 8);
    out += pairs_ + tensors_;
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data_;
  }

  std::uint64_t tensor_count = 0;  // as announced
  std::uint64_t pair_count = 0;

 private:
  void begin(std::string_view key, std::uint32_t type) {
    ++pair_count;
    put_text(pairs_, key);
    put(pairs_, type, 4);
  }

  std::string pairs_, tensors_, data_;
};

/// A well-formed little model: two layers, Q4_1 weights and an F32 norm.
inline GgufWriter small_model(std::string_view name = "Tiny Model") {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .text("general.name", name)
      .text("general.license", "apache-2.0")
      .u32("llama.context_length", 2048)
      .u32("llama.embedding_length", 64)
      .u32("llama.block_count", 2)
      .u32("llama.attention.head_count", 4)
      .u32("llama.attention.head_count_kv", 2)
      .text_list("tokenizer.ggml.tokens", {"a", "b", "c"})
      .text("tokenizer.chat_template", "{{ messages }}")
      .tensor("blk.0.attn_q.weight", {64, 64}, 3, 64 * 64 / 32 * 20)
      .tensor("output_norm.weight", {64}, 0, 64 * 4);
  return writer;
}

/// A LoRA of rank 2 for small_model().
inline GgufWriter small_adapter(std::string_view target = "blk.0.attn_q.weight",
                                std::uint64_t out = 64) {
  const std::string name(target);
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .text("general.type", "adapter")
      .text("adapter.type", "lora")
      .tensor(name + ".lora_a", {64, 2}, 0, 64 * 2 * 4)
      .tensor(name + ".lora_b", {2, out}, 0, 2 * out * 4);
  return writer;
}

}  // namespace loam::catalog::testing
