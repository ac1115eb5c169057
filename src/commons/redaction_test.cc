#include "commons/redaction.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::commons {
namespace {

std::string masked(std::string_view text) { return redact(text).text; }

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

TEST(Redaction, LeavesATextWithNothingToHideAsItIs) {
  for (const char* const text : {"", "Why is the sky blue?", "Warum ist der Himmel blau?", "天空",
                                 "a::b", "[email]", "version 1.2.3.4"}) {
    const Redacted result = redact(text);
    EXPECT_EQ(result.text, text);
    EXPECT_TRUE(result.masks.empty());
  }
}

TEST(Redaction, NamesWhatItMasksAndWhereItWas) {
  const Redacted result = redact("Mail jane@example.com or call +1 202-555-0143.");
  EXPECT_EQ(result.text, "Mail [email] or call [phone].");
  EXPECT_EQ(result.masks, (std::vector<Mask>{{5, 21, Finding::kEmail}, {30, 45, Finding::kPhone}}));
}

TEST(Redaction, CountsPositionsInTheOriginalsBytes) {
  const Redacted result = redact("卡號４１１１１１１１１１１１１１１１。");
  EXPECT_EQ(result.text, "卡號[card]。");
  EXPECT_EQ(result.masks, (std::vector<Mask>{{6, 54, Finding::kCard}}));
}

TEST(Redaction, SeesThroughInvisibleCharacters) {
  EXPECT_EQ(masked("\u202A+44 20 7946\u00A00958\u202C"), "\u202A[phone]\u202C");
  EXPECT_EQ(masked("jane\u200B@exam\u00ADple.com"), "[email]");
  EXPECT_EQ(masked("4111\u20111111\u20111111\u20111111"), "[card]");
}

TEST(Redaction, CallsWhatTwoDetectorsClaimByTheGraverName) {
  EXPECT_EQ(masked("password: jane99@mail.test"), "password: [secret]");
  EXPECT_EQ(masked("https://alice:w0nderl4nd@example.com/"), "https://[secret]@example.com/");
  EXPECT_EQ(masked("::ffff:192.0.2.1"), "[ip]");
}

TEST(Redaction, DoesNotTakeItsOwnMasksForSomethingToHide) {
  for (const Finding finding : {Finding::kEmail, Finding::kPhone, Finding::kIp, Finding::kIban,
                                Finding::kCard, Finding::kSecret, Finding::kSeedPhrase}) {
    for (const std::string_view around :
         {"{}", "password: {}", "password = \"{}\"", "Tel. {}", "token={}", "{}: a8f3k29dj3kd93jf",
          "{}@example", "https://a:{}@example.com", "?api_key={}", "word {} word"}) {
      std::string text(around);
      text.replace(text.find("{}"), 2, format("[{}]", finding_name(finding)));
      EXPECT_EQ(masked(text), text);
    }
  }
  EXPECT_EQ(masked("password=hunter22[email]"), "password=[secret][email]");
}

TEST(Redaction, MasksAPhraseThatIsNumberedQuotedOrInCapitals) {
  const std::string phrase = "legal winner thank year wave sausage worth useful legal winner thank";
  EXPECT_EQ(masked("Seed: " + phrase + " yellow."), "Seed: [seed-phrase].");
  EXPECT_EQ(masked("My words are LEGAL WINNER THANK YEAR WAVE SAUSAGE WORTH USEFUL LEGAL WINNER "
                   "THANK YELLOW, sorry"),
            "My words are [seed-phrase], sorry");
  EXPECT_EQ(masked(phrase + " zoo"), "[seed-phrase]");  // mistyped, yet alone
  EXPECT_EQ(masked("Perhaps " + phrase + " zoo comes"), "Perhaps " + phrase + " zoo comes");
}

TEST(Redaction, MasksAKeyBlockWholeAndNoSentenceAboutOne) {
  const std::string line = repeated("MIIEvfake", 63);
  const std::string block = "-----BEGIN PRIVATE KEY-----\n" + line + "\n" + line + "\nab==\n";
  EXPECT_EQ(masked("a " + block + "-----END PRIVATE KEY----- b"), "a [secret] b");
  EXPECT_EQ(masked("a " + block + "the rest is lost"), "a [secret]\nthe rest is lost");
  const std::string sentence =
      "It begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.";
  EXPECT_EQ(masked(sentence), sentence);
}

TEST(Redaction, LeavesNothingOfALongValue) {
  const std::string key = repeated("a8F3k29dJ3", 2000);
  EXPECT_EQ(masked("API_KEY=" + key + " end"), "API_KEY=[secret] end");
  EXPECT_EQ(masked("\"password\": \"" + key + "\", end"), "\"password\": \"[secret]\", end");
  EXPECT_EQ(masked("?token=" + key), "?token=[secret]");
  EXPECT_EQ(masked("sk-proj-" + key + "."), "[secret].");
  EXPECT_EQ(masked(std::string(300, 'a') + "@example.com"), "[email]");
}

TEST(Redaction, ComesThroughBytesThatAreNotUtf8) {
  const std::string broken = "\xFF\xC3 jane@example.com \xE2\x82";
  EXPECT_EQ(masked(broken), "\xFF\xC3 [email] \xE2\x82");
}

// Each could be gone over again and again by a pattern; that they end is the test.
TEST(Redaction, EndsOnHostileRepetitions) {
  for (const std::string_view piece : {"a",
                                       "a@",
                                       "a@a.",
                                       "@a.a",
                                       "1",
                                       "1 ",
                                       "1.",
                                       "1.1.1.",
                                       "::",
                                       "a:",
                                       "a:b::",
                                       "+",
                                       "+1 ",
                                       "00 4",
                                       "DE89 ",
                                       "4111 1111 ",
                                       "-----BEGIN PRIVATE KEY-----",
                                       "-----END",
                                       "sk-",
                                       "eyJ",
                                       "-eyJaaaaaaaa.",
                                       "eyJaaaaaaaa.a",
                                       "password=",
                                       "password: \"",
                                       "token is ",
                                       "?key=",
                                       "http://",
                                       "http://a:",
                                       "abandon ",
                                       "zoo ",
                                       "legal winner ",
                                       "tel. ",
                                       "tel: (",
                                       "phone number ",
                                       "[email]",
                                       "[",
                                       "(at) ",
                                       "a(at)",
                                       "curl -u ",
                                       "curl ",
                                       "٠",
                                       "電話",
                                       "โทร",
                                       "-",
                                       "5",
                                       "K",
                                       "nsec1q",
                                       "bearer ",
                                       "\n",
                                       "é"})
    EXPECT_FALSE(redact(repeated(piece, 1 << 16)).text.empty());
}

TEST(Redaction, EndsOnHostileMegabytes) {
  for (const std::string_view piece :
       {"zoo ", "-----END", "?key=a8F3", "password=", "phone number ", "-eyJaaaaaaaa."})
    EXPECT_FALSE(redact(repeated(piece, 1 << 20)).text.empty());
}

// Pieces in any order: what is masked is never split, never grows back, and stays inside the text.
TEST(Redaction, KeepsItsPromisesOnAnyMixtureOfPieces) {
  static constexpr std::string_view kPieces[] = {
      "jane@example.com",
      "+49 30 23125 014",
      "tel ",
      "192.0.2.1",
      "2001:db8::1",
      ":",
      ".",
      " ",
      "\n",
      "DE89370400440532013000",
      "4111 1111 1111 1111",
      "password=",
      "hunter22",
      "token: ",
      "é",
      "電話",
      "a8f3k29dj3kd93jf",
      "https://a:b1c2d3e4@",
      "[email]",
      "[",
      "]",
      "\"",
      "@",
      "ab",
      "7",
      "-",
      "(",
      "legal winner thank year wave sausage worth useful legal winner thank yellow",
      "\u200B",
      "１",
      "sk-ant-api03-FAKEfakeFAKEfake",
      "-----BEGIN PRIVATE KEY-----",
      "zoo ",
      "/",
      "?token="};
  std::uint32_t state = 1;  // a plain generator: the same mixtures on every machine
  const auto next = [&] { return (state = state * 1664525U + 1013904223U) >> 16U; };
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint32_t n = next() % 8; n-- > 0;) text += kPieces[next() % std::size(kPieces)];
    const Redacted once = redact(text);
    std::size_t done = 0;
    for (const Mask& mask : once.masks) {
      EXPECT_TRUE(done <= mask.begin && mask.begin < mask.end && mask.end <= text.size()) << text;
      EXPECT_TRUE(is_valid_utf8(text.substr(0, mask.begin))) << text;
      EXPECT_TRUE(is_valid_utf8(text.substr(0, mask.end))) << text;
      done = mask.end;
    }
    EXPECT_TRUE(is_valid_utf8(once.text)) << text;
    // A second pass leaves every mask that the first one wrote.
    const Redacted twice = redact(once.text);
    for (std::size_t at = once.text.find("[email]"); at != std::string::npos;
         at = once.text.find("[email]", at + 1))
      for (const Mask& mask : twice.masks)
        EXPECT_TRUE(mask.end <= at || mask.begin >= at + 7) << text << "\n" << once.text;
  }
}

}  // namespace
}  // namespace loam::commons
