#include "http/message.h"

#include <gtest/gtest.h>

namespace loam::http {
namespace {

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("content-type", "b");
  ASSERT_NE(headers.find("CONTENT-TYPE"), nullptr);
  EXPECT_EQ(*headers.find("CONTENT-TYPE"), "a");
  headers.set("CONTENT-type", "c");
  EXPECT_EQ(headers.all().size(), 1U);
  EXPECT_EQ(*headers.find("content-type"), "c");
  headers.remove("Content-Type");
  EXPECT_EQ(headers.find("content-type"), nullptr);
}

TEST(PercentCode, DecodesWhatItEncodes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a b/ä~"), "a%20b%2F%C3%A4~");
  EXPECT_EQ(percent_decode("a+b%2fc"), "a+b/c");
}

TEST(PercentCode, RefusesBrokenEscapes) {
  for (const char* broken : {"%", "%1", "a%", "%g0", "%0g", "%%00", "%-1"})
    EXPECT_EQ(percent_decode(broken), std::nullopt) << broken;
}

TEST(Request, FindsQueryParameters) {
  Request request;
  request.query = "a=1&b=x%20y+z&flag&bad=%zz&a=2&utf=%ff";
  EXPECT_EQ(request.query_param("a"), "1");
  EXPECT_EQ(request.query_param("b"), "x y z");
  EXPECT_EQ(request.query_param("flag"), "");
  EXPECT_EQ(request.query_param("bad"), std::nullopt);
  EXPECT_EQ(request.query_param("utf"), std::nullopt);
  EXPECT_EQ(request.query_param("none"), std::nullopt);
}

TEST(Method, HasANameThatParsesBack) {
  for (const Method method : {Method::kGet, Method::kHead, Method::kPost, Method::kPut,
                              Method::kDelete, Method::kOptions})
    EXPECT_EQ(parse_method(method_name(method)), method);
  EXPECT_EQ(parse_method("PATCH"), Method::kOther);
  EXPECT_EQ(parse_method("get"), Method::kOther) << "methods have case";
}

}  // namespace
}  // namespace loam::http
