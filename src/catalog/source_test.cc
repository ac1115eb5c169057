#include "catalog/source.h"

#include <gtest/gtest.h>

#include "catalog/http_reply.h"

namespace loam::catalog {
namespace {

TEST(Source, TellsUrlsHubFilesAndPathsApart) {
  EXPECT_EQ(parse_source("https://a.example/x", "https://hub").value().kind, SourceKind::kUrl);
  EXPECT_EQ(parse_source("http://[::1]:80/x", "https://hub").value().kind, SourceKind::kUrl);
  EXPECT_EQ(parse_source("/a/b.gguf", "https://hub").value().kind, SourceKind::kFile);
  EXPECT_EQ(parse_source("b.gguf", "https://hub").value().path, "b.gguf");
  const Source hub = parse_source("hf:o/r/d/f#1.gguf", "https://hub").value();
  EXPECT_EQ(hub.url, "https://hub/o/r/resolve/main/d/f%231.gguf");
  EXPECT_EQ(hub.file_name, "f#1.gguf");
}

TEST(Source, ShowsNoQuery) {
  const Source source = parse_source("https://a.example/x%20y.gguf?key=1#part", "").value();
  EXPECT_EQ(source.url, "https://a.example/x%20y.gguf?key=1");
  EXPECT_EQ(source.shown, "https://a.example/x%20y.gguf");
  EXPECT_EQ(source.file_name, "x y.gguf");
}

TEST(Source, MakesANameOutOfAFileName) {
  EXPECT_EQ(name_from_file("SmolLM2-135M.Q4_1.GGUF").value(), "smollm2-135m.q4_1");
  EXPECT_EQ(name_from_file("_my model.gguf").value(), "my-model");
  EXPECT_FALSE(name_from_file(".gguf").has_value());
  EXPECT_FALSE(name_from_file("").has_value());
}

TEST(ContentRange, ReadsItsThreeFormsAndNoOthers) {
  const auto range = parse_content_range("bytes 5-9/10");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->total, 10U);
  EXPECT_FALSE(parse_content_range("bytes 5-9/*")->total.has_value());
  EXPECT_FALSE(parse_content_range("bytes */10")->first.has_value());
  for (const char* text :
       {"", "bytes", "bytes 5/10", "bytes 9-5/10", "bytes 5-10/10", "items 0-1/2", "bytes -1-2/3",
        "bytes 0-1/99999999999999999999", "bytes 0-1/+5"})
    EXPECT_FALSE(parse_content_range(text).has_value()) << text;
}

TEST(Etag, IsUsedWhenItIsStrongAndIsAHashWhenItLooksLikeOne) {
  http::Headers headers;
  headers.set("etag", "W/\"a\"");
  EXPECT_EQ(strong_etag(headers), "");
  headers.set("etag", "\"a\"");
  EXPECT_EQ(strong_etag(headers), "\"a\"");
  EXPECT_TRUE(etag_digest("\"" + std::string(64, 'a') + "\"").has_value());
  EXPECT_FALSE(etag_digest("\"" + std::string(40, 'a') + "\"").has_value());
}

}  // namespace
}  // namespace loam::catalog
