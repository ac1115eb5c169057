#include "train/adapter_gguf.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "train/testing/toy_model.h"

namespace loam::train {
namespace {

/// A GGUF file, read back by the book.
class File {
 public:
  struct Tensor {
    std::vector<std::uint64_t> sizes;
    std::vector<float> values;
  };
  std::map<std::string, std::string> texts;
  std::map<std::string, float> numbers;
  std::map<std::string, Tensor> tensors;

  explicit File(Bytes bytes) : bytes_(std::move(bytes)) {
    EXPECT_EQ(take(4), 0x46554747U);  // "GGUF"
    EXPECT_EQ(take(4), 3U);
    const std::uint64_t tensor_count = take(8);
    for (std::uint64_t pairs = take(8); pairs > 0; --pairs) read_pair();
    std::map<std::string, std::uint64_t> offsets;
    for (std::uint64_t i = 0; i < tensor_count; ++i) {
      const std::string name = text();
      Tensor& tensor = tensors[name];
      for (std::uint64_t sizes = take(4); sizes > 0; --sizes) tensor.sizes.push_back(take(8));
      EXPECT_EQ(take(4), 0U);  // binary32
      offsets[name] = take(8);
    }
    const std::size_t data = (at_ + 31) / 32 * 32;
    for (auto& [name, tensor] : tensors) {
      EXPECT_EQ(offsets[name] % 32, 0U);
      at_ = data + offsets[name];
      for (std::uint64_t i = 0; i < tensor.sizes[0] * tensor.sizes[1]; ++i)
        tensor.values.push_back(number());
    }
    EXPECT_EQ(bytes_.size() % 32, 0U);
  }

 private:
  std::uint64_t take(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{bytes_.at(at_++)} << (8 * i);
    return value;
  }
  float number() { return std::bit_cast<float>(static_cast<std::uint32_t>(take(4))); }
  std::string text() {
    std::string out(take(8), ' ');
    for (char& c : out) c = static_cast<char>(take(1));
    return out;
  }
  void read_pair() {
    const std::string key = text();
    const std::uint64_t type = take(4);
    if (type == 8)
      texts[key] = text();
    else if (type == 6)
      numbers[key] = number();
    else
      ADD_FAILURE() << key << " has type " << type;
  }

  Bytes bytes_;
  std::size_t at_ = 0;
};

const AdapterFacts kFacts{
    .architecture = "llama", .name = "toy", .lineage = {{"adapter.loam.seed", "5"}}};

TEST(EncodeAdapter, SaysWhatItIsAndWhereItComesFrom) {
  const File file(encode_adapter(testing::toy_adapter(testing::toy_shape()), kFacts));
  EXPECT_EQ(file.texts, (std::map<std::string, std::string>{{"general.type", "adapter"},
                                                            {"general.architecture", "llama"},
                                                            {"general.name", "toy"},
                                                            {"adapter.type", "lora"},
                                                            {"adapter.loam.seed", "5"}}));
  EXPECT_EQ(file.numbers, (std::map<std::string, float>{{"adapter.lora.alpha", 6.0F}}));
}

TEST(EncodeAdapter, HoldsEachPairUnderTheNameOfItsBaseTensor) {
  const Adapter adapter = testing::toy_adapter(testing::toy_shape(), 1);
  const File file(encode_adapter(adapter, kFacts));
  EXPECT_EQ(file.tensors.size(), 2U * 7U * 2U);
  const auto& a = file.tensors.at("blk.2.ffn_down.weight.lora_a");
  EXPECT_EQ(a.sizes, (std::vector<std::uint64_t>{20, 3}));
  EXPECT_EQ(a.values, adapter.layers[2][Part::kDown].down);
  const auto& b = file.tensors.at("blk.2.ffn_down.weight.lora_b");
  EXPECT_EQ(b.sizes, (std::vector<std::uint64_t>{3, 12}));
  for (std::size_t out = 0; out < 12; ++out)
    for (std::size_t r = 0; r < 3; ++r)
      EXPECT_EQ(b.values[out * 3 + r], adapter.layers[2][Part::kDown].up[r * 12 + out]);
}

TEST(EncodeAdapter, GivesTheSameBytesForTheSameAdapter) {
  const Shape shape = testing::toy_shape();
  EXPECT_EQ(encode_adapter(testing::toy_adapter(shape), kFacts),
            encode_adapter(testing::toy_adapter(shape), kFacts));
}

}  // namespace
}  // namespace loam::train
