// Which language a text is in. Home of CLD2.
#pragma once

#include <string>
#include <string_view>

namespace loam::commons {

/// A BCP 47 tag such as "en" or "zh-Hant"; "und" where the text is too short or mixed to tell.
/// Pure. `text` must be UTF-8.
std::string language_of(std::string_view text);

}  // namespace loam::commons
