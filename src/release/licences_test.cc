// The most restrictive of the parts, and what may not be put together.
#include "release/licences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "commons/licence.h"

namespace loam::release {
namespace {

Result<std::string> combined(std::vector<std::string> licences) {
  std::vector<LicensedPart> parts;
  for (std::string& licence : licences) {
    std::string what = "part " + std::to_string(parts.size());
    parts.push_back({std::move(licence), std::move(what)});
  }
  return combined_licence(parts);
}

TEST(Licences, TheMostRestrictiveOfThePartsHolds) {
  EXPECT_EQ(combined({}), "CC0-1.0");
  EXPECT_EQ(combined({"CC0-1.0"}), "CC0-1.0");
  EXPECT_EQ(combined({"apache-2.0", "CC0-1.0"}), "Apache-2.0");
  EXPECT_EQ(combined({"apache-2.0", "CC-BY-4.0"}), "CC-BY-4.0");
  EXPECT_EQ(combined({"MIT", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0"}), "CC-BY-SA-4.0");
  EXPECT_EQ(combined({"odc-by"}), "ODC-By-1.0") << "as model cards write it";
}

TEST(Licences, TheOrderOfThePartsDoesNotMatter) {
  std::vector<std::string> parts{"CC-BY-SA-4.0", "Apache-2.0", "CC-BY-4.0", "CC0-1.0"};
  std::ranges::sort(parts);
  do {
    EXPECT_EQ(combined(parts), "CC-BY-SA-4.0");
  } while (std::ranges::next_permutation(parts).found);
}

TEST(Licences, EveryLicenceOfTheCommonsGoesWithEveryOther) {
  for (const std::string_view one : commons::licences())
    for (const std::string_view other : commons::licences())
      EXPECT_TRUE(combined({std::string(one), std::string(other)})) << one << " " << other;
}

TEST(Licences, TwoThatWantTheWholeAreRefused) {
  const auto found = combined({"ODbL-1.0", "CC-BY-SA-4.0"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(found.error().message.contains("part 0")) << found.error().message;
  EXPECT_TRUE(found.error().message.contains("part 1")) << found.error().message;
  EXPECT_EQ(combined({"ODbL-1.0", "ODbL-1.0", "MIT"}), "ODbL-1.0");
}

TEST(Licences, WhatBarsOrIsNotKnownIsRefusedAndNamed) {
  for (const char* licence : {"CC-BY-NC-4.0", "cc-by-nc-sa-4.0", "CC-BY-ND-4.0", "llama3.2",
                              "gemma", "GPL-3.0-only", "unknown", "", "other", "Proprietary"}) {
    const auto found = combined({"Apache-2.0", licence});
    ASSERT_FALSE(found) << licence;
    EXPECT_EQ(found.error().code, ErrorCode::kPermissionDenied);
    EXPECT_TRUE(found.error().message.contains("part 1")) << found.error().message;
    EXPECT_FALSE(found.error().hint.empty());
  }
}

}  // namespace
}  // namespace loam::release
