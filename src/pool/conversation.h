// What was said in a kept answer, and whether two answers are of one conversation. Inside this
// module only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::pool {

/// Without system messages, which many conversations have in common.
struct Said {
  std::vector<std::string> prompt;  // message for message; a text is one; empty: given as tokens
  std::string answer;
};
Said said_in(std::string_view prompt_json, std::string answer);

/// Whether `other` has words of `gone`: it is an earlier or a later turn of it, was asked the same,
/// or quotes its answer or its last question.
bool shares_words(const Said& other, const Said& gone);

}  // namespace loam::pool
