// The table of a recipe's settings. What reads, writes, checks and explains a recipe goes through
// it: a setting that is not in the table does not exist.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "tuning/recipe.h"

namespace loam::tuning {

/// One row.
struct RecipeSetting {
  static_assert(std::is_same_v<std::size_t, std::uint64_t>);  // one kind of whole number

  struct Flag {
    bool* value;
  };
  struct Whole {
    std::uint64_t* value;
    std::int64_t min;
    std::int64_t max;
  };
  template <class T>
  struct Real {
    T* value;
    double min;  // both bounds are a T exactly, so that rounding never leaves the range
    double max;
    bool whole = false;
  };
  /// One of a few words.
  struct Choice {
    std::span<const std::string_view> words;
    std::size_t index;  // of the one that is chosen
    void (*choose)(Recipe&, std::size_t index);
  };
  /// Parts of a layer.
  struct Parts {
    std::vector<train::Part>* value;
  };
  /// Where the value lives inside a Recipe, and what it may be.
  using Field = std::variant<Flag, Whole, Real<float>, Real<double>, Choice, Parts>;

  std::string_view key;
  std::string_view meaning;
  Field (*field)(Recipe&);
  bool came_later = false;  // than the first runs; see to_toml()
};

/// In the order in which they are written.
std::span<const RecipeSetting> recipe_settings();

/// "q_proj", ... "down_proj", in the order of train::kParts.
std::span<const std::string_view, train::kParts.size()> part_words();

}  // namespace loam::tuning
