#include "tuning/recipe.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "base/parse.h"
#include "codec/toml.h"
#include "tuning/recipe_settings.h"

namespace loam::tuning {
namespace {

using Row = RecipeSetting;

template <class Range>
std::string join(const Range& words) {
  std::string out;
  for (const std::string_view word : words) out += format("{}{}", out.empty() ? "" : ", ", word);
  return out;
}

/// What a setting may be: one function for each kind of field.
struct Allowed {
  std::string operator()(const Row::Flag&) const { return "true or false"; }
  std::string operator()(const Row::Whole& field) const {
    return format("a whole number from {} to {}", field.min, field.max);
  }
  template <class T>
  std::string operator()(const Row::Real<T>& field) const {
    return format("a {}number from {} to {}", field.whole ? "whole " : "", field.min, field.max);
  }
  std::string operator()(const Row::Choice& field) const {
    std::string out;
    for (const auto word : field.words) out += format("{}\"{}\"", out.empty() ? "" : " or ", word);
    return out;
  }
  std::string operator()(const Row::Parts&) const {
    return format("\"all\", or some of {} (a list, or a text with commas)", join(part_words()));
  }
};

/// The value as TOML. Equal values give equal bytes.
struct Written {
  std::string operator()(const Row::Flag& field) const { return *field.value ? "true" : "false"; }
  std::string operator()(const Row::Whole& field) const { return std::to_string(*field.value); }
  template <class T>
  std::string operator()(const Row::Real<T>& field) const {
    // The fewest digits that give the same double; -0 becomes 0.
    return format("{}", static_cast<double>(*field.value) + 0.0);
  }
  std::string operator()(const Row::Choice& field) const {
    LOAM_CHECK(field.index < field.words.size());
    return codec::toml_quoted(field.words[field.index]);
  }
  std::string operator()(const Row::Parts& field) const {
    if (field.value->size() == train::kParts.size()) return codec::toml_quoted("all");
    std::string out;
    for (const train::Part part : *field.value)
      out += format("{}{}", out.empty() ? "" : ",", part_words()[static_cast<std::size_t>(part)]);
    return codec::toml_quoted(out);
  }
};

/// The parts that a text or a list of texts names; nothing if it does not.
std::optional<std::vector<train::Part>> parse_parts(const codec::Value& value) {
  std::vector<std::string_view> words;
  if (const auto* text = value.as_string()) words = split(*text, ',');
  if (const auto* array = value.as_array())
    for (const codec::Value& item : *array) {
      if (item.as_string() == nullptr) return std::nullopt;
      words.push_back(*item.as_string());
    }
  if (words.size() == 1 && trim(words[0]) == "all")
    return std::vector(train::kParts.begin(), train::kParts.end());
  train::OfParts<bool> named{};
  for (const std::string_view word : words) {
    const auto at = std::ranges::find(part_words(), trim(word));
    if (at == part_words().end()) return std::nullopt;
    named[static_cast<train::Part>(at - part_words().begin())] = true;
  }
  std::vector<train::Part> out;
  std::ranges::copy_if(train::kParts, std::back_inserter(out),
                       [&](train::Part part) { return named[part]; });
  if (out.empty()) return std::nullopt;
  return out;
}

/// Puts `given` into the field. False, and nothing is changed, if it is none of what is allowed.
struct Set {
  Recipe& recipe;
  const codec::Value& given;

  bool operator()(const Row::Flag& field) const {
    const bool* flag = given.as_bool();
    if (flag != nullptr) *field.value = *flag;
    return flag != nullptr;
  }
  bool operator()(const Row::Whole& field) const {
    const std::int64_t* number = given.as_int();
    if (number == nullptr || *number < field.min || *number > field.max) return false;
    *field.value = static_cast<std::uint64_t>(*number);
    return true;
  }
  template <class T>
  bool operator()(const Row::Real<T>& field) const {
    if (!given.is_number()) return false;
    const double number = given.number();
    if (!(number >= field.min && number <= field.max)) return false;  // nor is it no number
    if (field.whole && number != std::floor(number)) return false;
    *field.value = static_cast<T>(number + 0.0);
    return true;
  }
  bool operator()(const Row::Choice& field) const {
    if (given.as_string() == nullptr) return false;
    const auto at = std::ranges::find(field.words, *given.as_string());
    if (at == field.words.end()) return false;
    field.choose(recipe, static_cast<std::size_t>(at - field.words.begin()));
    return true;
  }
  bool operator()(const Row::Parts& field) const {
    auto parts = parse_parts(given);
    if (!parts) return false;
    *field.value = *std::move(parts);
    return true;
  }
};

Error unknown_key(std::string_view place, const std::string& key) {
  std::vector<std::string> known;
  for (const Row& row : recipe_settings()) known.emplace_back(row.key);
  const auto close = nearest(key, known);
  return {ErrorCode::kInvalidArgument,
          format("{}: unknown setting {}", place, codec::toml_quoted(key)),
          close ? format("did you mean {}?", *close)
                : "docs/formats/recipe.md lists the settings of a recipe"};
}

}  // namespace

Result<Recipe> parse_recipe(std::string_view toml, std::string_view name) {
  Recipe recipe;
  bool has_alpha = false;
  for (const codec::TomlEntry& entry : LOAM_TRY(codec::parse_toml(toml, name))) {
    const std::string place = format("{}:{}", name, entry.line);
    const auto row = std::ranges::find(recipe_settings(), entry.path, &Row::key);
    if (row == recipe_settings().end()) return std::unexpected(unknown_key(place, entry.path));
    const Row::Field field = row->field(recipe);
    if (!std::visit(Set{recipe, entry.value}, field))
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: {} = {}: expected {}", place, row->key,
                         codec::describe_toml(entry.value), std::visit(Allowed{}, field)));
    has_alpha = has_alpha || row->key == "lora_alpha";
  }
  if (!has_alpha) recipe.lora_alpha = 2 * static_cast<float>(recipe.lora_rank);
  return recipe;
}

std::string to_toml(const Recipe& recipe) {
  Recipe copy = recipe, defaults;  // a field gives access for writing too
  std::string out;
  for (const Row& row : recipe_settings()) {
    const std::string value = std::visit(Written{}, row.field(copy));
    if (row.came_later && value == std::visit(Written{}, row.field(defaults))) continue;
    out += format("{} = {}\n", row.key, value);
  }
  return out;
}

std::string recipe_markdown() {
  std::string out = "| setting | default | allowed | meaning |\n|---|---|---|---|\n";
  Recipe defaults;
  for (const Row& row : recipe_settings()) {
    const Row::Field field = row.field(defaults);
    out += format("| `{}` | `{}` | {} | {} |\n", row.key, std::visit(Written{}, field),
                  std::visit(Allowed{}, field), row.meaning);
  }
  return out;
}

}  // namespace loam::tuning
