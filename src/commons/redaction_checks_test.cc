#include "commons/redaction_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "commons/redaction_bip39.h"
#include "crypto/digest.h"

namespace loam::commons {
namespace {

TEST(Luhn, HoldsForTheStandardsExampleAndForNoOtherLastDigit) {
  for (char last = '0'; last <= '9'; ++last)
    EXPECT_EQ(luhn_holds(std::string("7992739871") + last), last == '3') << last;
  EXPECT_FALSE(luhn_holds(""));
  EXPECT_FALSE(luhn_holds("0"));
  EXPECT_FALSE(luhn_holds("4111 1111"));
}

TEST(Luhn, BreaksWithAnySingleDigit) {
  const std::string card = "4111111111111111";
  for (std::size_t i = 0; i < card.size(); ++i) {
    for (char digit = '0'; digit <= '9'; ++digit) {
      std::string other = card;
      other[i] = digit;
      EXPECT_EQ(luhn_holds(other), digit == card[i]) << other;
    }
  }
}

TEST(CardNumber, NeedsAnIssuersRangeWithItsLength) {
  EXPECT_TRUE(is_card_number("4242424242424242"));
  EXPECT_TRUE(is_card_number("378282246310005"));
  EXPECT_TRUE(is_card_number("30569309025904"));
  EXPECT_TRUE(is_card_number("2223003122003222"));
  EXPECT_FALSE(is_card_number("9999999999999995"));  // no issuer
  EXPECT_FALSE(is_card_number("490154203237518"));   // 15 digits with a 4: an IMEI
  EXPECT_FALSE(is_card_number("0000000000000000"));
  EXPECT_FALSE(is_card_number("4242"));
}

TEST(Iban, HoldsForTheRegistrysExamples) {
  for (const char* const iban :
       {"AD1200012030200359100100", "DE89370400440532013000", "FR1420041010050500013M02606",
        "GB29NWBK60161331926819", "MT84MALT011000012345MTLCAST001S", "NO9386011117947",
        "PL61109010140000071219812874", "SA0380000000608010167519", "TR330006100519786457841326"})
    EXPECT_TRUE(iban_holds(iban)) << iban;
}

TEST(Iban, FailsWithAnotherLengthDigitOrCountry) {
  EXPECT_FALSE(iban_holds("DE8937040044053201300"));
  EXPECT_FALSE(iban_holds("DE89370400440532013001"));
  EXPECT_FALSE(iban_holds("ZZ89370400440532013000"));
  EXPECT_FALSE(iban_holds("DE89 3704"));
  EXPECT_FALSE(iban_holds(""));
  EXPECT_EQ(iban_length("D"), 0U);
  EXPECT_EQ(iban_length("US"), 0U);
  EXPECT_EQ(iban_length("NO"), 15U);
}

TEST(Base58Check, HoldsForAPublishedKeyAndFailsOneCharacterOff) {
  // The example key of Bitcoin's wiki, known to everybody.
  const std::string key = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ";
  EXPECT_TRUE(base58check_holds(key, 33));
  EXPECT_FALSE(base58check_holds(key, 34));
  std::string other = key;
  other.back() = 'K';
  EXPECT_FALSE(base58check_holds(other, 33));
  EXPECT_FALSE(base58check_holds("0OIl", 33));
  EXPECT_FALSE(base58check_holds(std::string(60, 'z'), 33));  // too large a number
  EXPECT_FALSE(base58check_holds("", 33));
}

TEST(Bech32, HoldsForTheStandardsExamplesOnly) {
  EXPECT_TRUE(bech32_holds("a12uel5l", "a"));
  EXPECT_TRUE(bech32_holds("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef"));
  EXPECT_FALSE(bech32_holds("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx", "abcdef"));
  EXPECT_FALSE(bech32_holds("a12uel5", "a"));
  EXPECT_FALSE(bech32_holds("a1b2uel5l", "a"));  // 'b' is not of the alphabet
  EXPECT_FALSE(bech32_holds("", "a"));
}

TEST(Ipv6, IsBelievedWhenAHostWouldHaveIt) {
  for (const char* const address : {"2001:db8::1", "fe80::1", "fd00::1", "fd12:3456:789a:1::1",
                                    "::ffff:192.0.2.1", "2001:db8:0:0:8:800:200c:417a"})
    EXPECT_TRUE(is_ipv6_of_a_host(address)) << address;
  for (const char* const other :
       {"::", "::1", "a::b", "abc::def", "dead::beef", "00:1b:44:11:3a:b7", "1:2:3:4:5:6:7:8",
        "12:34:56", "2001:db8::1::2", "10::20", ""})
    EXPECT_FALSE(is_ipv6_of_a_host(other)) << other;
}

TEST(LooksDrawn, TellsKeysFromIdentifiersAndWords) {
  for (const char* const key : {"a8f3k29dj3kd93jf", "9f86d081884c7d659a2feaa0c55ad015",
                                "qT7mVx2LpR9sKd4W", "550e8400-e29b-41d4-a716-446655440000"})
    EXPECT_TRUE(looks_drawn(key)) << key;
  for (const char* const word : {"my-database-password-2024", "ThisIsACamelCaseIdentifierWith2",
                                 "corsAttributeState", "path/to/key1.pem", "aaaa1111aaaa1111",
                                 "1234567890123456", "a8f3k29", "MAXIMUM_TOKEN_COUNT_64"})
    EXPECT_FALSE(looks_drawn(word)) << word;
}

TEST(Placeholder, IsWhatDocumentationWrites) {
  for (const char* const value : {"YOUR_API_KEY", "sk-xxxxxxxx", "changeme", "********", "token",
                                  "AKIAIOSFODNN7EXAMPLE", "...", "000000"})
    EXPECT_TRUE(is_placeholder(value)) << value;
  EXPECT_FALSE(is_placeholder("hunter22"));
}

TEST(Bip39, ListIsThePublishedOne) {
  EXPECT_EQ(crypto::digest_hex(crypto::sha256(as_bytes(bip39_english()))),
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
  EXPECT_EQ(bip39_index("abandon"), 0);
  EXPECT_EQ(bip39_index("about"), 3);
  EXPECT_EQ(bip39_index("zoo"), 2047);
  EXPECT_FALSE(bip39_index("the").has_value());
  EXPECT_FALSE(bip39_index("").has_value());
  EXPECT_FALSE(bip39_index("zzz").has_value());
}

TEST(Bip39, ChecksumHoldsForTheStandardsVectors) {
  std::vector<std::uint16_t> zeros(12, 0);
  zeros.back() = 3;  // "abandon" eleven times, "about"
  EXPECT_TRUE(bip39_checksum_holds(zeros));
  std::vector<std::uint16_t> ones(24, 2047);
  ones.back() = *bip39_index("vote");  // "zoo" 23 times, "vote"
  EXPECT_TRUE(bip39_checksum_holds(ones));
  ones.back() = 2047;
  EXPECT_FALSE(bip39_checksum_holds(ones));
  EXPECT_FALSE(bip39_checksum_holds(std::vector<std::uint16_t>(13, 0)));
  EXPECT_FALSE(bip39_checksum_holds({}));
}

TEST(Bip39, ChecksumHoldsForOneLastWordInSixteen) {
  std::vector<std::uint16_t> phrase(12, 1019);
  int holding = 0;
  for (std::uint16_t last = 0; last < 2048; ++last) {
    phrase.back() = last;
    holding += bip39_checksum_holds(phrase) ? 1 : 0;
  }
  EXPECT_EQ(holding, 128);  // 7 bits of entropy in the last word of 12, 4 of checksum
}

}  // namespace
}  // namespace loam::commons
