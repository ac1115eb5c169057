#include "tuning/gguf_weights.h"

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <string>
#include <vector>

#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/random.h"
#include "train/testing/toy_model.h"
#include "tuning/whole_model.h"

namespace loam::tuning {
namespace {

using catalog::testing::GgufWriter;
using Sizes = std::vector<std::size_t>;

constexpr std::uint32_t kF32 = 0, kI32 = 26, kQ8Zero = 8;
constexpr std::size_t kBlocks = 40'000;  // more than a piece holds

std::string f32(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) GgufWriter::put(out, std::bit_cast<std::uint32_t>(value), 4);
  return out;
}

/// Number `i` of the tensor that q8_zero() makes: whole numbers from -100 to 100, halved.
float q8_number(std::size_t i) { return (static_cast<float>(i % 201) - 100) / 2; }

std::string q8_zero(std::size_t blocks) {
  std::string out;
  for (std::size_t block = 0; block < blocks; ++block) {
    GgufWriter::put(out, 0x3800, 2);  // 0.5
    for (std::size_t i = block * 32; i < block * 32 + 32; ++i)
      out += static_cast<char>(static_cast<int>(q8_number(i) * 2));
  }
  return out;
}

GgufWriter small_file() {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .u32("llama.block_count", 2)
      .raw("llama.rope.freq_base", 6, f32({1e5F}))
      .tensor("plain", {3, 2}, kF32, f32({1, 2, 3, -4, -5, 0.1F}))
      .tensor("blocks", {32, kBlocks}, kQ8Zero, q8_zero(kBlocks))
      .tensor("numbers", {2}, kI32, "12345678");
  return writer;
}

/// A file for as long as a test.
class GgufWeights : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  Result<std::unique_ptr<train::WeightSource>> open(std::string_view bytes) {
    LOAM_TRY(env::write_file_atomic(path_, bytes));
    return open_gguf_weights(LOAM_TRY(env::open_read(path_)), path_);
  }

  const env::Path path_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-gguf-weights-");
};

TEST_F(GgufWeights, TellsWhatTheHeaderSays) {
  const auto source = open(small_file().bytes()).value();
  EXPECT_EQ(source->text("general.architecture"), "llama");
  EXPECT_EQ(source->text("llama.block_count"), std::nullopt);
  EXPECT_EQ(source->number("llama.block_count"), 2);
  EXPECT_EQ(source->number("llama.rope.freq_base"), 1e5);
  EXPECT_EQ(source->number("general.architecture"), std::nullopt);
  EXPECT_EQ(source->sizes("plain"), (Sizes{3, 2}));
  EXPECT_EQ(source->sizes("blocks"), (Sizes{32, kBlocks}));
  EXPECT_EQ(source->sizes("absent"), std::nullopt);
}

TEST_F(GgufWeights, ReadsPlainNumbers) {
  const auto source = open(small_file().bytes()).value();
  std::vector<float> to(6);
  ASSERT_TRUE(source->read("plain", to).has_value());
  EXPECT_EQ(to, (std::vector<float>{1, 2, 3, -4, -5, 0.1F}));
}

TEST_F(GgufWeights, ReadsBlocksOverManyPieces) {
  const auto source = open(small_file().bytes()).value();
  std::vector<float> to(32 * kBlocks);
  const auto read = source->read("blocks", to);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  for (std::size_t i = 0; i < to.size(); ++i) ASSERT_EQ(to[i], q8_number(i)) << i;
}

TEST_F(GgufWeights, RefusesFilesThatAreCutOff) {
  const std::string whole = small_file().bytes();
  for (const std::size_t size : {std::size_t{0}, std::size_t{60}, whole.size() - 64}) {
    const auto source = open(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(source.has_value()) << size;
    EXPECT_EQ(source.error().code, ErrorCode::kCorrupt);
    EXPECT_TRUE(source.error().message.contains(path_.string()));
  }
}

TEST_F(GgufWeights, RefusesAFileThatBecomesShorterLater) {
  const auto source = open(small_file().bytes()).value();
  std::filesystem::resize_file(path_, 200);
  std::vector<float> to(6);
  const auto read = source->read("plain", to);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(read.error().message.contains("tensor plain")) << read.error().message;
}

TEST_F(GgufWeights, RefusesTensorsWhoseSizesDoNotFit) {
  const auto refused = [&](const GgufWriter& writer) {
    const auto source = open(writer.bytes());
    return !source && source.error().code == ErrorCode::kCorrupt;
  };
  EXPECT_TRUE(refused(small_file().tensor("more", {1000, 1000}, kF32, "few bytes")));
  EXPECT_TRUE(refused(small_file().tensor("half", {48}, kQ8Zero, q8_zero(2))));
  EXPECT_TRUE(refused(small_file().tensor_at("twice", {3, 2}, kF32, 0)));
}

TEST_F(GgufWeights, SaysWhichTensorItCannotRead) {
  const auto source = open(small_file().bytes()).value();
  std::vector<float> to(2);
  const auto absent = source->read("absent", to);
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  const auto no_weights = source->read("numbers", to);
  ASSERT_FALSE(no_weights.has_value());
  EXPECT_EQ(no_weights.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(no_weights.error().message.contains("tensor numbers")) << no_weights.error().message;
}

/// The metadata of a model of this shape, as a file has it.
GgufWriter file_of(const train::Shape& shape, const std::string& architecture) {
  GgufWriter writer;
  const auto count = [&](const std::string& key, std::size_t value) {
    writer.u32(architecture + "." + key, static_cast<std::uint32_t>(value));
  };
  writer.text("general.architecture", architecture).text("general.name", "Base");
  writer.u32("general.alignment", 64).u32("general.file_type", 15);
  writer.text("general.base_model.0.name", "an earlier one").text("loam.run", "an earlier one");
  writer.text_list("tokenizer.ggml.tokens", {"a", "b", "c"});
  count("block_count", shape.layers);
  count("embedding_length", shape.width);
  count("feed_forward_length", shape.ffn_width);
  count("attention.head_count", shape.attention.heads);
  count("attention.head_count_kv", shape.attention.kv_heads);
  count("attention.key_length", shape.attention.head_width);
  writer.raw(architecture + ".attention.layer_norm_rms_epsilon", 6, f32({shape.norm_epsilon}));
  writer.raw(architecture + ".rope.freq_base", 6, f32({shape.rope.base}));
  return writer;
}

TEST_F(GgufWeights, AWholeModelIsReadBackAsItWasWritten) {
  using train::testing::Bias, train::testing::Head;
  for (const bool llama : {true, false}) {
    train::Shape shape =
        train::testing::toy_shape(llama ? train::RopePairs::kAdjacent : train::RopePairs::kHalves);
    if (llama) shape.rope.factors = {1, 8};
    train::Weights weights = train::testing::toy_weights(shape, llama ? Head::kTied : Head::kOwn,
                                                         llama ? Bias::kNone : Bias::kOfQkv);
    GgufWriter base = file_of(shape, llama ? "llama" : "qwen2");
    base.alignment = 64;
    ASSERT_TRUE(env::write_file_atomic(path_, base.bytes()));
    const auto file = env::open_read(path_);
    const auto bytes = encode_whole_model(weights, *file, path_, "New", {{"loam.run", "5"}});
    ASSERT_TRUE(bytes) << bytes.error().message;

    const auto source = open(as_text(*bytes)).value();
    auto read = train::read_weights(*source);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->shape.rope.factors, shape.rope.factors);
    ASSERT_EQ(read->spans().size(), weights.spans().size());
    for (std::size_t i = 0; i < weights.spans().size(); ++i)
      EXPECT_TRUE(std::ranges::equal(read->spans()[i], weights.spans()[i])) << i;
    EXPECT_EQ(source->text("general.name"), "New");
    EXPECT_EQ(source->text("loam.run"), "5");
    EXPECT_EQ(source->text("general.base_model.0.name"), std::nullopt);
    EXPECT_EQ(source->number("general.file_type"), 0);
    EXPECT_EQ(source->number("general.alignment"), std::nullopt);
    EXPECT_TRUE(as_text(*bytes).contains("tokenizer.ggml.tokens"));
  }
}

TEST_F(GgufWeights, ReadsTheStarterModel) {
  const auto path = env::variable("LOAM_TEST_MODEL");
  ASSERT_TRUE(path.has_value()) << "LOAM_TEST_MODEL names the starter model";
  auto source = open_gguf_weights(env::open_read(*path).value(), *path);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  const auto weights = train::read_weights(**source);
  ASSERT_TRUE(weights.has_value()) << weights.error().message;
  const train::Shape& shape = weights->shape;
  EXPECT_EQ(shape.layers, 30U);
  EXPECT_EQ(shape.width, 576U);
  EXPECT_EQ(shape.ffn_width, 1536U);
  EXPECT_EQ(shape.vocabulary, 49'152U);
  EXPECT_EQ(shape.attention.heads, 9U);
  EXPECT_EQ(shape.attention.kv_heads, 3U);
  EXPECT_EQ(shape.attention.head_width, 64U);
  EXPECT_EQ(shape.rope.pairs, train::RopePairs::kAdjacent);
  EXPECT_TRUE(weights->head.empty());
}

}  // namespace
}  // namespace loam::tuning
