#include "tuning/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/format.h"

namespace loam::tuning {
namespace {

Bytes file_of(std::string_view header, std::size_t bytes = 0) {
  Bytes out;
  for (int shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<std::uint8_t>(std::uint64_t{header.size()} >> shift));
  out.insert(out.end(), header.begin(), header.end());
  out.resize(out.size() + bytes);
  return out;
}

/// One tensor "a" of these sixteen bit patterns.
std::vector<float> numbers_of(std::string_view dtype, const std::vector<std::uint16_t>& patterns) {
  Bytes file = file_of(format(R"({{"a":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})",
                              dtype, patterns.size(), 2 * patterns.size()));
  for (const std::uint16_t pattern : patterns) {
    file.push_back(static_cast<std::uint8_t>(pattern));
    file.push_back(static_cast<std::uint8_t>(pattern >> 8));
  }
  const auto read = decode_safetensors(file);
  EXPECT_TRUE(read.has_value());
  return read ? read->tensors.at("a").values : std::vector<float>{};
}

std::string error_of(ByteView file) {
  const auto read = decode_safetensors(file);
  return read ? "none" : read.error().message;
}

TEST(EncodeSafetensors, WritesTheBytesOfTheReferenceImplementation) {
  const SafeTensors file{.tensors = {{"b", {{2}, {1, -2}}}, {"a", {{1, 1}, {0.5F}}}},
                         .metadata = {{"format", "pt"}}};
  Bytes expected = file_of(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}   )");
  for (const int byte : {0, 0, 0, 0x3F, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0})
    expected.push_back(static_cast<std::uint8_t>(byte));
  EXPECT_EQ(encode_safetensors(file), expected);
  EXPECT_EQ(expected[0] % 8, 0);
}

RC_GTEST_PROP(EncodeSafetensors, GivesWhatDecodeSafetensorsReadsBack, ()) {
  SafeTensors file;
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
    const auto shape =
        *rc::gen::container<std::vector<std::size_t>>(3, rc::gen::inRange<std::size_t>(0, 4));
    const auto values = *rc::gen::container<std::vector<float>>(shape[0] * shape[1] * shape[2],
                                                                rc::gen::arbitrary<float>());
    file.tensors[format("\u00fc\n\"{}", i)] = {shape, values};
    file.metadata[format("{{{}", i)] = "\\";
  }
  const auto read = decode_safetensors(encode_safetensors(file));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == file);
}

TEST(FindSafetensors, GivesOneTensorAfterTheOther) {
  const SafeTensors file{.tensors = {{"a", {{1, 2}, {0.5F, 3}}}, {"b", {{}, {7}}}}, .metadata = {}};
  const Bytes bytes = encode_safetensors(file);
  const auto found = find_safetensors(bytes);
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 2U);
  for (const SafeTensorPlace& place : *found)
    EXPECT_EQ((SafeTensor{place.shape, tuning::numbers_of(place)}), file.tensors.at(place.name));
  EXPECT_FALSE(find_safetensors(ByteView(bytes).first(bytes.size() - 1)).has_value());
}

TEST(DecodeSafetensors, TurnsShorterTypesIntoFloatsExactly) {
  EXPECT_EQ(numbers_of("F16", {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x83FF, 0x0000}),
            (std::vector<float>{1, -2, 65504, 0x1p-14F, 0x1p-24F, -0x3FFp-24F, 0}));
  EXPECT_TRUE(std::signbit(numbers_of("F16", {0x8000})[0]));
  EXPECT_EQ(numbers_of("F16", {0xFC00})[0], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(numbers_of("F16", {0x7C01})[0]));
  EXPECT_EQ(numbers_of("BF16", {0x3F80, 0xC040, 0x0001}),
            (std::vector<float>{1, -3, std::bit_cast<float>(0x10000U)}));
}

TEST(DecodeSafetensors, TakesTensorsInAnyOrderAndEmptyOnes) {
  const auto read =
      decode_safetensors(file_of(R"({"b":{"dtype":"F32","shape":[],"data_offsets":[4,8]},)"
                                 R"("e":{"dtype":"F16","shape":[3,0],"data_offsets":[4,4]},)"
                                 R"("a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}} )",
                                 8));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->tensors.at("b").values.size(), 1U);
  EXPECT_TRUE(read->tensors.at("e").values.empty());
}

TEST(DecodeSafetensors, RefusesNumbersThatAreNotCoveredExactlyOnce) {
  const auto two = [](std::string_view a, std::string_view b) {
    return error_of(file_of(format(R"({{"a":{{"dtype":"F32","shape":[1],"data_offsets":{}}},)"
                                   R"("b":{{"dtype":"F32","shape":[1],"data_offsets":{}}}}})",
                                   a, b),
                            8));
  };
  EXPECT_EQ(two("[0,4]", "[4,8]"), "none");
  EXPECT_EQ(two("[0,4]", "[0,4]"),
            "read safetensors: tensor \"b\" begins at byte 0 where 4 was expected");
  EXPECT_EQ(two("[0,4]", "[8,12]"),
            "read safetensors: tensor \"b\" begins at byte 8 where 4 was expected");
  EXPECT_EQ(two("[4,8]", "[8,12]"),
            "read safetensors: tensor \"a\" begins at byte 4 where 0 was expected");
  EXPECT_EQ(two("[0,4]", "[4,6]"),
            "read safetensors: tensor \"b\": its shape does not need bytes 4 to 6");
  EXPECT_EQ(two("[4,0]", "[4,8]"),
            "read safetensors: tensor \"a\": its shape does not need bytes 4 to 0");
  EXPECT_EQ(error_of(file_of("{}", 1)), "read safetensors: tensors of 0 bytes, but 1 are there");
  EXPECT_EQ(error_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3)),
            "read safetensors: tensors of 4 bytes, but 3 are there");
}

TEST(DecodeSafetensors, RefusesASizeThatOverflows) {
  for (const std::string_view shape : {"[4611686018427387904]", "[4294967296,4294967296]",
                                       "[4611686018427387904,4]", "[4294967296,4294967296,0]"})
    EXPECT_EQ(error_of(file_of(
                  format(R"({{"a":{{"dtype":"F32","shape":{},"data_offsets":[0,0]}}}})", shape))),
              "read safetensors: tensor \"a\": its shape does not need bytes 0 to 0");
}

TEST(DecodeSafetensors, RefusesAHeaderThatIsNone) {
  EXPECT_EQ(error_of(Bytes(7)), "read safetensors: shorter than the length of a header");
  Bytes huge = file_of("{}");
  huge[4] = 1;
  EXPECT_EQ(error_of(huge), "read safetensors: a header of 4294967298 bytes, more than 100000000");
  Bytes longer = file_of("{}");
  longer[0] = 3;
  EXPECT_EQ(error_of(longer), "read safetensors: a header of 3 bytes, but 2 are there");
  EXPECT_EQ(error_of(file_of(" {}")), "read safetensors: the header does not begin with {");
  EXPECT_EQ(error_of(file_of("{} x")),
            "read safetensors: its header: JSON: syntax error at byte 4");
  EXPECT_EQ(error_of(file_of(R"({"a":1,"a":1})")),
            "read safetensors: its header: JSON: a name stands twice in one object");
  EXPECT_EQ(error_of(file_of(R"({"a":[[[1]]]})")),
            "read safetensors: its header: JSON: nested deeper than 3 levels");
}

TEST(DecodeSafetensors, RefusesATensorThatIsDescribedOtherwise) {
  const std::string_view what = " is not described by dtype, shape and data_offsets alone";
  for (const std::string_view value :
       {R"(1)", R"({"dtype":"F32","shape":[1]})",
        R"({"dtype":"F32","shape":[1.0],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,4]})",
        R"({"dtype":1,"shape":[1],"data_offsets":[0,4]})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})",
        R"({"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]})"})
    EXPECT_EQ(error_of(file_of(format(R"({{"\u0007a":{}}})", value), 4)),
              format(R"(read safetensors: tensor "\u0007a"{})", what))
        << value;
  const auto other =
      decode_safetensors(file_of(R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 4));
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(other.error().message, R"(read safetensors: tensor "a" is of type "I8")");
}

TEST(DecodeSafetensors, RefusesMetadataThatIsNoText) {
  EXPECT_EQ(error_of(file_of(R"({"__metadata__":[]})")),
            "read safetensors: __metadata__ is no object");
  EXPECT_EQ(error_of(file_of(R"({"__metadata__":{"a":1}})")),
            "read safetensors: __metadata__ has no text for \"a\"");
}

TEST(DecodeSafetensors, RefusesEachBeginningOfAFile) {
  const Bytes file = encode_safetensors({.tensors = {{"a", {{3}, {1, 2, 3}}}}, .metadata = {}});
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(error_of(ByteView(file).first(size)), "none") << size;
}

TEST(AllFinite, SeesInfinityAndNaN) {
  EXPECT_TRUE(all_finite({}));
  EXPECT_TRUE(all_finite(std::vector<float>{0, -1, std::numeric_limits<float>::max()}));
  EXPECT_FALSE(all_finite(std::vector<float>{0, -std::numeric_limits<float>::infinity()}));
  EXPECT_FALSE(all_finite(std::vector<float>{std::numeric_limits<float>::quiet_NaN()}));
}

}  // namespace
}  // namespace loam::tuning
