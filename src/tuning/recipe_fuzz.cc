// Any text as a recipe: refused, or a recipe whose TOML is the same recipe and the same TOML.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "tuning/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto recipe = loam::tuning::parse_recipe(text, "recipe.toml");
  if (!recipe) {
    LOAM_CHECK(recipe.error().code == loam::ErrorCode::kInvalidArgument ||
               recipe.error().code == loam::ErrorCode::kResourceExhausted);
    return 0;
  }
  const std::string written = to_toml(*recipe);
  const auto again = loam::tuning::parse_recipe(written, "recipe.toml");
  LOAM_CHECK(again && *again == *recipe && to_toml(*again) == written);
  return 0;
}
