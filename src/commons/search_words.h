// What a person types to search, and what of it the words index is asked.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::commons {

/// Of what is typed, and of its parts. Chosen: more is no question but a text.
inline constexpr std::size_t kSearchBytesMax = 4096;
inline constexpr std::size_t kSearchPartsMax = 32;

/// Turns `typed` into an expression of FTS5 that holds quoted text only, whatever was typed.
///
/// Parts stand between spaces, and all of them must be found: `word`, `"words in this order"`,
/// `begin*` for every word that begins so, `-word` and `-"words"` for what must not occur. Every
/// other character is text; what is neither letter nor digit separates words.
/// @return empty if nothing was typed.
/// @error InvalidArgument  names the column, in characters from 1; or it is too long.
Result<std::string> words_expression(std::string_view typed);

}  // namespace loam::commons
