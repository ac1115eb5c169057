#include "train/model_gguf.h"

#include <gtest/gtest.h>

#include "train/gguf_file.h"
#include "train/testing/toy_model.h"

namespace loam::train {
namespace {

using testing::Bias;
using testing::Head;
using testing::toy_shape;
using testing::toy_weights;

// That the file is read back into the same weights is tested where files are read
// (tuning/gguf_weights_test.cc).
TEST(EncodeModel, PutsTheGivenPairsFirstAndAddsItsOwn) {
  GgufFile one;
  one.text("general.architecture", "llama");
  const Bytes whole = one.bytes();
  constexpr std::size_t kHead = 4 + 4 + 8 + 8, kPair = 8 + 20 + 4 + 8 + 5;
  const Bytes pair(whole.begin() + kHead, whole.begin() + kHead + kPair);
  const Bytes file = encode_model(toy_weights(toy_shape(), Head::kTied, Bias::kNone),
                                  {.pairs = pair, .pair_count = 1, .name = "toy", .lineage = {}});
  EXPECT_EQ(file[8], 1 + 3 * 9 + 1);  // tensors
  EXPECT_EQ(file[16], 3);             // pairs
  EXPECT_TRUE(std::equal(pair.begin(), pair.end(), file.begin() + kHead));
  EXPECT_EQ(file.size() % 32, 0U);
}

TEST(EncodeModel, GivesTheSameBytesForTheSameModelAndOthersForAnother) {
  const ModelFile facts{
      .pairs = {}, .pair_count = 0, .name = "toy", .lineage = {{"loam.run", "5"}}};
  Weights weights = toy_weights(toy_shape(), Head::kOwn, Bias::kOfQkv);
  const Bytes file = encode_model(weights, facts);
  EXPECT_EQ(encode_model(weights, facts), file);
  weights.layers[1].bias[Part::kQ][0] += 1;
  EXPECT_NE(encode_model(weights, facts), file);
}

}  // namespace
}  // namespace loam::train
