#include "gate/tasks.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "codec/json.h"

namespace loam::gate {
namespace {

constexpr std::array<std::string_view, 32> kNouns = {
    "apple",  "river",  "stone",  "window", "garden",  "bottle", "candle",  "forest",
    "hammer", "island", "jacket", "kettle", "ladder",  "mirror", "needle",  "orange",
    "pencil", "rabbit", "saddle", "table",  "violin",  "wagon",  "yarn",    "zebra",
    "bridge", "cloud",  "drum",   "engine", "feather", "glove",  "harbour", "lemon"};

std::string_view noun(Draws& draws) { return kNouns.at(draws.below(kNouns.size())); }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Whether `word` stands in `text` with nothing of its kind beside it.
bool says(std::string_view text, std::string_view word, bool (*of_word)(char)) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !of_word(text[at - 1])) && (end == text.size() || !of_word(text[end])))
      return true;
  }
  return false;
}

Task copy_task(Draws& draws) {
  const std::string word(noun(draws));
  return {"copy", format("Repeat this word exactly, and say nothing else: {}", word), 8,
          [word](std::string_view answer) { return says(lower(answer), word, is_letter); }};
}

Task sum_task(Draws& draws) {
  const auto a = draws.below(9) + 1, b = draws.below(9) + 1;
  const std::string sum = std::to_string(a + b);
  return {"sum", format("What is {} + {}? Answer with the number.", a, b), 12,
          [sum](std::string_view answer) { return says(answer, sum, is_digit); }};
}

Task pick_task(Draws& draws) {
  const std::string item(noun(draws));
  const auto number = draws.below(90) + 10;
  const auto other = draws.below(90) + 10;
  std::string_view distraction = noun(draws);
  if (distraction == item) distraction = item == kNouns[0] ? kNouns[1] : kNouns[0];
  const std::string wanted = std::to_string(number);
  return {"pick",
          format("The {} costs {} coins. The {} costs {} coins. How many coins does the {} cost?",
                 item, number, distraction, other == number ? number + 1 : other, item),
          20, [wanted](std::string_view answer) { return says(answer, wanted, is_digit); }};
}

Task compare_task(Draws& draws) {
  const bool larger = draws.below(2) == 0;
  const auto a = draws.below(50) + 1, b = a + draws.below(40) + 5;
  const std::string wanted = std::to_string(larger ? b : a);
  const std::string_view order = larger ? "larger" : "smaller";
  return {"compare",
          format("Which number is {}: {} or {}? Answer with the number only.", order, a, b), 8,
          [wanted, unwanted = std::to_string(larger ? a : b)](std::string_view answer) {
            const auto at = answer.find(wanted);
            return says(answer, wanted, is_digit) &&
                   (!says(answer, unwanted, is_digit) || at < answer.find(unwanted));
          }};
}

Task json_task(Draws& draws) {
  const std::string key(noun(draws));
  const auto number = static_cast<std::int64_t>(draws.below(100));
  return {
      "json",
      format("Write a JSON object with the one member \"{}\", whose value is {}. Write only the "
             "JSON.",
             key, number),
      24, [key, number](std::string_view answer) {
        const auto begin = answer.find('{'), end = answer.rfind('}');
        if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
          return false;
        const auto value = codec::parse_json(answer.substr(begin, end - begin + 1));
        const codec::Value* const found = value ? value->find(key) : nullptr;
        return found != nullptr && found->as_int() != nullptr && *found->as_int() == number;
      }};
}

Task capitals_task(Draws& draws) {
  const std::string word(noun(draws));
  std::string capitals = word;
  for (char& c : capitals) c = static_cast<char>(c - 'a' + 'A');
  return {"capitals", format("Write the word {} in capital letters only.", word), 8,
          [capitals](std::string_view answer) { return says(answer, capitals, is_letter); }};
}

}  // namespace

std::vector<Task> make_tasks(std::size_t count, Draws draws) {
  constexpr std::array kFamilies = {copy_task,    sum_task,  pick_task,
                                    compare_task, json_task, capitals_task};
  std::vector<Task> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(kFamilies.at(i % kFamilies.size())(draws));
  return out;
}

}  // namespace loam::gate
