// What a build writes can be read back, however much it names.
#include "dataset/manifest.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::dataset {
namespace {

TEST(Manifest, OfMoreModelsAndLanguagesThanAnybodyHasIsReadBack) {
  Manifest manifest;
  manifest.query = "lang = en";
  manifest.split_seed = crypto::sha256(as_bytes("seed"));
  Summary summary;
  for (std::uint64_t i = 0; i < 60'000; ++i)
    summary.models[crypto::digest_hex(crypto::sha256(as_bytes(format("model {}", i))))] = 1;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) summary.languages[format("l{}", i)] = 1;
  const std::string text = manifest_text(manifest, summary, {});
  EXPECT_GT(text.size(), 16U << 20U);
  const auto again = parse_manifest(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->query, manifest.query);
  EXPECT_EQ(again->split_seed, manifest.split_seed);
}

TEST(Manifest, OfAnotherPipelineIsRefusedByItsNumber) {
  std::string text = manifest_text({}, {}, {});
  text.replace(text.find("\"pipeline\": 1"), 13, "\"pipeline\": 2");
  const auto refused = parse_manifest(text);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace loam::dataset
