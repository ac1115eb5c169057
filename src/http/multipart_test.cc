#include "http/multipart.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::http {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=aB1";

/// A part with this Content-Disposition.
std::string part(std::string_view disposition, std::string_view content) {
  return format("--aB1\r\nContent-Disposition: {}\r\n\r\n{}\r\n", disposition, content);
}
std::string form(std::string_view disposition) { return part(disposition, "x") + "--aB1--\r\n"; }

std::string fault(std::string_view body, std::string_view type = kType) {
  const auto parts = parse_multipart(type, body);
  return parts ? "nothing" : parts.error().message;
}

TEST(Multipart, ReadsFieldsAndFiles) {
  const std::string body =
      part("form-data; name=\"purpose\"", "fine-tune") +
      "--aB1\r\ncontent-disposition:form-data; name=file; filename=\"tea.jsonl\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n{\"a\":1}\n--aB1\r\n\r\n--aB1--\r\n";
  const auto parts = parse_multipart(kType, body);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ(parts->at(0).name, "purpose");
  EXPECT_EQ(parts->at(0).content, "fine-tune");
  EXPECT_FALSE(parts->at(0).filename);
  EXPECT_EQ(parts->at(1).name, "file");
  EXPECT_EQ(parts->at(1).filename, "tea.jsonl");
  EXPECT_EQ(parts->at(1).content, "{\"a\":1}\n--aB1\r\n")
      << "only CR LF before it makes a boundary";
}

TEST(Multipart, ContentMayBeAnything) {
  for (const std::string_view content : {"", "\r\n", "\r", "--", "--aB", "\r\n\r\n", "\r\n--aB"}) {
    const std::string body = part("form-data; name=a", content) + "--aB1--";
    const auto parts = parse_multipart(kType, body);
    ASSERT_TRUE(parts) << parts.error().message;
    ASSERT_EQ(parts->size(), 1U);
    EXPECT_EQ(parts->at(0).content, content);
  }
  EXPECT_TRUE(parse_multipart(kType, "--aB1--")->empty());
}

TEST(Multipart, ReadsNamesAsClientsWriteThem) {
  const auto name = [](std::string_view disposition) {
    const std::string body = form(disposition);
    const auto parts = parse_multipart(kType, body);
    return parts ? parts->at(0).filename.value_or("none") : parts.error().message;
  };
  EXPECT_EQ(name(R"(form-data; name="a"; filename="b \"c\".txt")"), "b \"c\".txt");
  EXPECT_EQ(name(R"(form-data; name="a"; filename="b %22c%22.txt")"), "b \"c\".txt");
  EXPECT_EQ(name("form-data; name=a; filename=\"x\"; filename*=UTF-8''%e2%82%ac"), "€");
  EXPECT_EQ(name("form-data; name=a; filename=\"../€\""), "../€");
  EXPECT_EQ(name("form-data; name=a"), "none");
}

TEST(Multipart, TheBoundaryMayBeQuoted) {
  EXPECT_EQ(fault(form("form-data; name=a"), "Multipart/Form-Data; charset=x; Boundary=\"aB1\""),
            "nothing");
  for (const std::string_view type :
       {"", "application/json", "multipart/form-data", "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"aB1", "multipart/mixed; boundary=aB1"})
    EXPECT_NE(fault(form("form-data; name=a"), type), "nothing") << type;
  EXPECT_NE(fault("", format("multipart/form-data; boundary={}", std::string(71, 'x'))), "nothing");
}

TEST(Multipart, SaysWhatIsWrong) {
  const std::string good = form("form-data; name=a");
  for (std::size_t cut = 0; cut + 4 < good.size(); ++cut)
    EXPECT_NE(fault(good.substr(0, cut)), "nothing") << cut;
  EXPECT_NE(fault("x" + good).find("begin"), std::string::npos);
  EXPECT_NE(fault(good + "x").find("behind"), std::string::npos);
  EXPECT_NE(fault("--aB1\r\n\r\nx\r\n--aB1--").find("no name"), std::string::npos);
  EXPECT_NE(fault(form("attachment; name=a")).find("form-data"), std::string::npos);
  EXPECT_NE(fault(form("form-data; name=a; name=b")).find("cannot be read"), std::string::npos);
  EXPECT_NE(fault(form("form-data; name=\"\xff\"")).find("UTF-8"), std::string::npos);
  EXPECT_NE(fault(form("form-data; name=\"a\tb\"")).find("control"), std::string::npos);
  EXPECT_NE(fault(form("form-data; name=a; filename*=latin1''x")).find("filename*"),
            std::string::npos);
  EXPECT_NE(fault(part("form-data; name=a", "x\r\n--aB1x") + "--aB1--").find("line of its own"),
            std::string::npos);
}

TEST(Multipart, IsBounded) {
  std::string many;
  for (std::size_t i = 0; i <= kPartsMax; ++i) many += part("form-data; name=a", "x");
  EXPECT_NE(fault(many + "--aB1--").find("more than"), std::string::npos);
  EXPECT_NE(fault(form("form-data; name=" + std::string(kPartHeadBytesMax, 'a'))).find("longer"),
            std::string::npos);
}

}  // namespace
}  // namespace loam::http
