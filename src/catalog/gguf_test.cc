#include "catalog/gguf.h"

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <map>

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

/// The refusal of a header that is read as a whole.
std::string header_refusal(const GgufWriter& writer) {
  const auto header = read_gguf_header(as_bytes(writer.bytes()));
  if (header) return "accepted";
  return std::string(error_code_name(header.error().code)) + ": " + header.error().message;
}

TEST(GgufHeader, TellsScalarsOfEveryType) {
  GgufWriter writer = small_model();
  writer.raw("u8", 0, "\xff").raw("i8", 1, "\xff").raw("u16", 2, "\xfe\xff");
  writer.raw("i16", 3, "\xfe\xff").raw("i32", 5, number(static_cast<std::uint64_t>(-70'000), 4));
  writer.raw("f32", 6, number(std::bit_cast<std::uint32_t>(1e-5F), 4));
  writer.raw("yes", 7, "\1").raw("no", 7, std::string(1, '\0'));
  writer.raw("u64", 10, number(std::uint64_t{1} << 40, 8));
  writer.raw("i64", 11, number(static_cast<std::uint64_t>(-5), 8));
  writer.raw("f64", 12, number(std::bit_cast<std::uint64_t>(-0.1), 8));
  const auto numbers = read_gguf_header(as_bytes(writer.bytes())).value().numbers;
  const std::map<std::string, double, std::less<>> expected = {
      {"u8", 255},
      {"i8", -1},
      {"u16", 65'534},
      {"i16", -2},
      {"i32", -70'000},
      {"f32", double{1e-5F}},
      {"yes", 1},
      {"no", 0},
      {"u64", 1'099'511'627'776},
      {"i64", -5},
      {"f64", -0.1},
      {"llama.context_length", 2048},
      {"llama.embedding_length", 64},
      {"llama.block_count", 2},
      {"llama.attention.head_count", 4},
      {"llama.attention.head_count_kv", 2}};
  EXPECT_EQ(numbers, expected);
}

TEST(GgufHeader, TellsWhereEachPairLies) {
  const std::string bytes = small_model().bytes();
  const auto pairs = read_gguf_header(as_bytes(bytes)).value().pairs;
  ASSERT_EQ(pairs.size(), small_model().pair_count);
  EXPECT_EQ(pairs.front().offset, 24U);
  for (std::size_t i = 1; i < pairs.size(); ++i)
    EXPECT_EQ(pairs[i].offset, pairs[i - 1].offset + pairs[i - 1].bytes);
  for (const GgufPair& pair : pairs)
    EXPECT_EQ(bytes.substr(pair.offset + 8, pair.key.size()), pair.key);
  std::string tensor;
  GgufWriter::put_text(tensor, "blk.0.attn_q.weight");
  EXPECT_TRUE(bytes.substr(pairs.back().offset + pairs.back().bytes).starts_with(tensor));
}

TEST(GgufHeader, TellsShortTextsAndLeavesOutLongOnesAndTheTemplate) {
  GgufWriter writer = small_model();
  writer.text("other", "a\nb\xff").text("most", std::string(4096, 'x'));
  writer.text("longer", std::string(4097, 'x'));
  const auto header = read_gguf_header(as_bytes(writer.bytes())).value();
  const std::map<std::string, std::string, std::less<>> expected = {
      {"general.architecture", "llama"},
      {"general.name", "Tiny Model"},
      {"general.license", "apache-2.0"},
      {"other", "a b\xef\xbf\xbd"},
      {"most", std::string(4096, 'x')}};
  EXPECT_EQ(header.texts, expected);
  EXPECT_EQ(header.facts.chat_template, "{{ messages }}");
}

TEST(GgufHeader, TellsWhereTensorsLieInTheFile) {
  GgufWriter writer = small_model();
  writer.tensor("last", {2, 3}, 1, "twelve bytes");
  const std::string bytes = writer.bytes();
  const auto tensors = read_gguf_header(as_bytes(bytes)).value().tensors;
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors[0].name, "blk.0.attn_q.weight");
  EXPECT_EQ(tensors[0].type, 3U);
  EXPECT_EQ(tensors[0].bytes, 2560U);
  EXPECT_EQ(tensors[0].sizes, (std::vector<std::uint64_t>{64, 64}));
  EXPECT_EQ(tensors[1].offset, tensors[0].offset + 2560);
  EXPECT_EQ(tensors[2].sizes, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(bytes.substr(tensors[2].offset, tensors[2].bytes), "twelve bytes");
}

TEST(GgufHeader, RefusesTensorsThatShareBytes) {
  GgufWriter writer = small_model();
  writer.tensor_at("t", {8}, 0, 2528);  // the last row of the first tensor
  EXPECT_EQ(refusal(writer), "accepted");
  EXPECT_TRUE(header_refusal(writer).contains("share bytes")) << header_refusal(writer);
  EXPECT_EQ(header_refusal(small_model()), "accepted");
}

TEST(GgufHeader, RefusesWhatTheFactsAreRefusedFor) {
  const std::string whole = small_model().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ByteView cut = as_bytes(std::string_view(whole).substr(0, size));
    const auto header = read_gguf_header(cut);
    ASSERT_FALSE(header.has_value()) << size;
    EXPECT_EQ(header.error().message, read_gguf(cut).error().message) << size;
  }
  const env::Path path = std::filesystem::temp_directory_path() / env::random_id("loam-gguf-");
  ASSERT_TRUE(env::write_file_atomic(path, whole.substr(0, 100)).has_value());
  const auto cut = read_gguf_header(env::open_read(path).value(), path);
  ASSERT_FALSE(cut.has_value());
  EXPECT_TRUE(cut.error().message.contains(path.string()));
  std::filesystem::remove(path);
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
