#include "catalog/gguf.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/ggml_types.h"
#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::catalog {
namespace {

using testing::GgufWriter;
using testing::small_model;

Result<ModelFacts> read(const GgufWriter& writer) { return read_gguf(as_bytes(writer.bytes())); }

/// The refusal of `writer`'s file, as "code: message".
std::string refusal(const GgufWriter& writer) {
  const auto facts = read(writer);
  if (facts) return "accepted";
  return std::string(error_code_name(facts.error().code)) + ": " + facts.error().message;
}

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  GgufWriter::put(out, value, bytes);
  return out;
}

TEST(Gguf, ReadsWhatAModelSaysOfItself) {
  const ModelFacts facts = read(small_model()).value();
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.display_name, "Tiny Model");
  EXPECT_EQ(facts.licence, "apache-2.0");
  EXPECT_EQ(facts.quantisation, "Q4_1");
  EXPECT_EQ(facts.parameters, 64U * 64 + 64);
  EXPECT_EQ(facts.context, 2048U);
  EXPECT_EQ(facts.embedding_width, 64U);
  EXPECT_EQ(facts.layers, 2U);
  EXPECT_EQ(facts.chat_template, "{{ messages }}");
  EXPECT_EQ(facts.kv_bytes_per_token, 2U * 2 * (16 + 16) * 2);
}

TEST(Gguf, ReadsTheSameFromAFileWhereverItsPositionIs) {
  const env::Path path = std::filesystem::temp_directory_path() / env::random_id("loam-gguf-");
  GgufWriter writer = small_model();
  // Longer than one window of the reader, with texts across its borders.
  writer.text_list("tokenizer.ggml.merges", std::vector<std::string>(30'000, "ab cd"));
  writer.text("after", "x").text("general.note", std::string(200'000, 'n'));
  ASSERT_TRUE(env::write_file_atomic(path, writer.bytes()).has_value());
  const env::Fd file = env::open_read(path).value();
  const auto facts = read_gguf(file, path);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->quantisation, "Q4_1");
  std::filesystem::resize_file(path, 100);
  const auto cut = read_gguf(env::open_read(path).value(), path);
  ASSERT_FALSE(cut.has_value());
  EXPECT_TRUE(cut.error().message.contains(path.string()));
  std::filesystem::remove(path);
}

TEST(Gguf, AcceptsVersionTwoAndAVocabularyWithoutWeights) {
  GgufWriter old = small_model();
  old.version = 2;
  EXPECT_TRUE(read(old).has_value());
  GgufWriter vocabulary;
  vocabulary.text("general.architecture", "bert").text_list("tokenizer.ggml.tokens", {});
  EXPECT_EQ(read(vocabulary).value().parameters, 0U);
}

TEST(Gguf, TakesTheHeadsOfEachLayerFromAList) {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .u32_list("llama.attention.head_count_kv", {1, 0, 3})
      .u32("llama.attention.head_count", 4)
      .u32("llama.attention.key_length", 8)
      .u32("llama.attention.value_length", 4)
      .u32("llama.block_count", 3);
  EXPECT_EQ(read(writer).value().kv_bytes_per_token, 4U * (8 + 4) * 2);
}

TEST(Gguf, RefusesWhatIsNoGguf) {
  for (const std::string text : {"", "GG", "GGUF", "<html>", "GGML\1\0\0\0"})
    EXPECT_EQ(read_gguf(as_bytes(text)).error().code, ErrorCode::kCorrupt) << text;
}

TEST(Gguf, RefusesOtherVersionsAndByteOrders) {
  GgufWriter writer = small_model();
  for (const std::uint32_t version : {0U, 1U, 4U, 0x03000000U}) {
    writer.version = version;
    EXPECT_TRUE(refusal(writer).starts_with("unsupported")) << refusal(writer);
  }
}

TEST(Gguf, RefusesEveryFileThatIsCutOff) {
  const std::string whole = small_model().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto facts = read_gguf(as_bytes(std::string_view(whole).substr(0, size)));
    ASSERT_FALSE(facts.has_value()) << size;
    EXPECT_EQ(facts.error().code, ErrorCode::kCorrupt) << size;
  }
}

TEST(Gguf, NeverTrustsACount) {
  GgufWriter pairs = small_model();
  pairs.pair_count = UINT64_MAX;
  EXPECT_TRUE(refusal(pairs).starts_with("corrupt"));
  GgufWriter tensors = small_model();
  tensors.tensor_count = 1'000'000'000;
  EXPECT_TRUE(refusal(tensors).starts_with("corrupt"));

  for (const std::uint64_t count : {UINT64_MAX, UINT64_MAX / 4, std::uint64_t{1} << 40})
    for (const std::uint32_t type : {0U, 4U, 8U, 10U, 12U}) {
      GgufWriter list;
      list.text("general.architecture", "x").raw("list", 9, number(type, 4) + number(count, 8));
      EXPECT_TRUE(refusal(list).starts_with("corrupt")) << count << " of " << type;
    }
  for (const std::string key : {"general.name", "tokenizer.chat_template", "other"}) {
    GgufWriter text;
    text.text("general.architecture", "x").raw(key, 8, number(UINT64_MAX - 3, 8) + "abc");
    EXPECT_TRUE(refusal(text).starts_with("corrupt")) << key;
  }
}

TEST(Gguf, RefusesOddMetadata) {
  EXPECT_TRUE(refusal(small_model().u32("general.alignment", 24)).contains("alignment"));
  EXPECT_TRUE(refusal(small_model().u32("general.alignment", 0)).contains("alignment"));
  EXPECT_TRUE(refusal(small_model().text("general.name", "b")).contains("twice"));
  EXPECT_TRUE(refusal(small_model().raw("x", 13, "1234")).contains("type 13"));
  EXPECT_TRUE(refusal(small_model().raw("x", 9, number(9, 4) + number(0, 8))).contains("type 9"));
  EXPECT_TRUE(refusal(GgufWriter().text("general.name", "x")).contains("architecture"));
  EXPECT_TRUE(refusal(GgufWriter().text("general.architecture", "../x")).contains("architecture"));
  EXPECT_TRUE(
      refusal(GgufWriter().text("general.architecture", "x").u32("x.context_length", UINT32_MAX))
          .contains("context_length"));
  EXPECT_TRUE(
      refusal(small_model().text("general.note", std::string(1 << 20, 'x'))).contains("accepted"));
  EXPECT_TRUE(
      refusal(GgufWriter().text("general.name", std::string(5000, 'x'))).contains("5000 bytes"));
}

TEST(Gguf, RefusesOnePartOfASplitModel) {
  EXPECT_TRUE(refusal(small_model().u32("split.count", 3)).starts_with("unsupported"));
  EXPECT_EQ(refusal(small_model().u32("split.count", 1)), "accepted");
}

TEST(Gguf, RefusesImpossibleTensors) {
  const std::uint64_t huge = std::uint64_t{1} << 40;
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {huge, huge}, 0, 0)).contains("shape"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {0}, 0, 0)).contains("shape"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {33}, 3, 0)).contains("shape"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {huge}, 0, 0)).contains("cut off"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {32}, 0, 1)).contains("place"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {32}, 0, UINT64_MAX - 31)).contains("place"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {1, 1, 1, 1, 1}, 0, 0)).contains("dimensions"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {32}, 4, 0)).starts_with("unsupported"));
  EXPECT_TRUE(refusal(small_model().tensor_at("t", {32}, UINT32_MAX, 0)).starts_with("unsup"));
  EXPECT_TRUE(refusal(small_model().tensor_at("output_norm.weight", {1}, 0, 0)).contains("twice"));
  EXPECT_TRUE(refusal(small_model().tensor_at(std::string(2000, 't'), {1}, 0, 0)).contains("text"));
}

TEST(Gguf, WhatIsShownHoldsNoControlCharacters) {
  const ModelFacts facts = read(small_model("a\x1b[31m\n\xff")).value();
  EXPECT_EQ(facts.display_name, "a [31m \xef\xbf\xbd");
}

TEST(GgmlTypes, KnowsItsNumbersAndNoOthers) {
  EXPECT_EQ(ggml_type(14)->name, "Q6_K");
  EXPECT_EQ(ggml_type(39)->name, "MXFP4");
  EXPECT_EQ(ggml_type(4), nullptr);
  EXPECT_EQ(ggml_type(31), nullptr);
  EXPECT_EQ(ggml_type(43), nullptr);
}

}  // namespace
}  // namespace loam::catalog
