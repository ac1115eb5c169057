#include "commons/language.h"

#include <cld2/public/compact_lang_det.h>

#include <algorithm>
#include <limits>

namespace loam::commons {

std::string language_of(std::string_view text) {
  // Enough to tell any language; the library counts in int.
  constexpr std::size_t kBytesMax = 64 * 1024;
  const auto length = static_cast<int>(std::min(text.size(), kBytesMax));
  bool reliable = false;
  const CLD2::Language found =
      CLD2::DetectLanguage(text.data(), length, /*is_plain_text=*/true, &reliable);
  if (!reliable || found == CLD2::UNKNOWN_LANGUAGE) return "und";
  return CLD2::LanguageCode(found);
}

}  // namespace loam::commons
