#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "codec/cbor.h"
#include "codec/json.h"

namespace loam::codec {
namespace {

Value sample() {
  return Object{{"b", 1},
                {"a", Array{nullptr, true, -7, 0.5, "t\xC3\xA9xt"}},
                {"long", std::numeric_limits<std::int64_t>::min()}};
}

TEST(Json, RoundTripsAndKeepsTheOrderOfMembers) {
  const std::string text = to_json(sample());
  EXPECT_EQ(text,
            "{\"b\":1,\"a\":[null,true,-7,0.5,\"t\xC3\xA9xt\"],\"long\":-9223372036854775808}");
  EXPECT_EQ(parse_json(text).value(), sample());
  EXPECT_EQ(parse_json(to_json(sample(), 2)).value(), sample());
}

TEST(Json, AWholeDoubleStaysADouble) {
  EXPECT_EQ(to_json(Value(2.0)), "2.0");
  EXPECT_EQ(to_json(Value(1e300)), "1e+300");
  EXPECT_EQ(to_json(Value(std::numeric_limits<double>::quiet_NaN())), "null");
}

TEST(Json, EscapesWhatMustBeAndMendsWhatIsNotUtf8) {
  EXPECT_EQ(to_json(Value(std::string("a\"\\\n\x01\xFF"))), "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\"");
}

TEST(Json, RefusesMalformedDocuments) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "nul", "\"\xFF\"",
                          "\"\\ud800\"", "\"\\udc00x\"", "1e999", "NaN", "{'a':1}", "[1]x", "01"})
    EXPECT_EQ(parse_json(bad).error().code, ErrorCode::kInvalidArgument) << bad;
}

TEST(Json, AnErrorNeverQuotesTheInput) {
  const auto error = parse_json("{\"prompt\": secretword").error();
  EXPECT_EQ(error.message.find("secret"), std::string::npos);
}

TEST(Json, HoldsToItsLimits) {
  EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')).has_value());
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')).has_value());
  EXPECT_EQ(parse_json("[1,2,3]", {.values_max = 3}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(parse_json("[1,2,3]", {.bytes_max = 3}).error().code, ErrorCode::kResourceExhausted);
}

TEST(Json, NumbersKeepTheirKind) {
  EXPECT_NE(parse_json("1").value().as_int(), nullptr);
  EXPECT_NE(parse_json("1.0").value().as_double(), nullptr);
  EXPECT_NE(parse_json("18446744073709551615").value().as_double(), nullptr);
}

TEST(Cbor, MatchesTheVectorsOfRfc8949AppendixA) {
  const auto hex = [](const Value& value) { return to_hex(to_cbor(value)); };
  EXPECT_EQ(hex(0), "00");
  EXPECT_EQ(hex(23), "17");
  EXPECT_EQ(hex(24), "1818");
  EXPECT_EQ(hex(1000000), "1a000f4240");
  EXPECT_EQ(hex(std::int64_t{1000000000000}), "1b000000e8d4a51000");
  EXPECT_EQ(hex(-1000), "3903e7");
  EXPECT_EQ(hex(1.1), "fb3ff199999999999a");
  EXPECT_EQ(hex(Bytes{1, 2, 3, 4}), "4401020304");
  EXPECT_EQ(hex("\xC3\xBC"), "62c3bc");
  EXPECT_EQ(hex(Array{1, Array{2, 3}}), "8201820203");
  EXPECT_EQ(hex(Object{{"b", Array{2, 3}}, {"a", 1}}), "a26161016162820203");
  EXPECT_EQ(hex(nullptr), "f6");
}

TEST(Cbor, SortsKeysByLengthThenBytes) {
  EXPECT_EQ(to_hex(to_cbor(Object{{"aa", 1}, {"b", 2}})), "a261620262616101");
}

TEST(Cbor, RefusesEveryOtherEncoding) {
  for (const char* bad : {"",
                          "1817",
                          "190017",
                          "1a00000017",
                          "5f4101ff",
                          "9f01ff",
                          "bf616101ff",
                          "a2616201616101",
                          "a2616101616102",
                          "a1016161",
                          "c000",
                          "f7",
                          "f0",
                          "f97e00",
                          "fa47c35000",
                          "62c328",
                          "6261",
                          "8201",
                          "1bffffffffffffffff",
                          "0000",
                          "9bffffffffffffffff",
                          "bbffffffffffffffff",
                          "1c"})
    EXPECT_EQ(parse_cbor(from_hex(bad).value()).error().code, ErrorCode::kInvalidArgument) << bad;
}

/// A random tree; few kinds, but each of them at any depth.
Value random_value(std::mt19937& random, int depth) {
  switch (random() % (depth > 3 ? 6 : 8)) {
    case 0: return nullptr;
    case 1: return random() % 2 == 0;
    case 2: return static_cast<std::int64_t>(random()) << (random() % 32);
    case 3: return -static_cast<std::int64_t>(random()) / 3;
    case 4: return static_cast<double>(random()) / 7.0;
    case 5: return std::string(random() % 40, static_cast<char>('a' + random() % 26));
    case 6: {
      Array items;
      for (auto n = random() % 5; n > 0; --n) items.push_back(random_value(random, depth + 1));
      return items;
    }
    default: {
      Value object{Object{}};
      for (auto n = random() % 5; n > 0; --n)
        object.set(std::to_string(random() % 1000), random_value(random, depth + 1));
      return object;
    }
  }
}

TEST(Codec, WhatIsEncodedComesBackAndHasOneEncoding) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Value value = random_value(random, 0);
    EXPECT_EQ(parse_json(to_json(value)).value(), value);
    const Bytes bytes = to_cbor(value);
    const Value back = parse_cbor(bytes).value();  // members come back sorted
    EXPECT_EQ(to_cbor(back), bytes);
  }
}

TEST(Cbor, AnyFlippedBitIsEitherRefusedOrAnotherValue) {
  const Bytes bytes = to_cbor(sample());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes changed = bytes;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    const auto value = parse_cbor(changed);
    if (value) {
      EXPECT_EQ(to_cbor(*value), changed);
    }
  }
}

}  // namespace
}  // namespace loam::codec
