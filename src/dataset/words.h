// The words of a text under a rule that does not change, so that every machine finds the same
// duplicates: docs/formats/dataset.md, "Words". No library's Unicode tables take part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::dataset {

/// The code points of valid UTF-8.
std::u32string code_points(std::string_view text);

/// Lower-cased runs of letters and digits; each sign of a script without spaces is a word of its
/// own. `text` must be UTF-8.
std::vector<std::u32string> words_of(std::string_view text);

/// Whether `phrase` occurs in `words`, all of it in a row. An empty one does.
bool contains_phrase(const std::vector<std::u32string>& words,
                     const std::vector<std::u32string>& phrase);

}  // namespace loam::dataset
