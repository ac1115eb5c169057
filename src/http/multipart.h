// Bodies of several parts: what a form with a file is sent as.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam::http {

inline constexpr std::size_t kPartsMax = 64;
inline constexpr std::size_t kPartHeadBytesMax = 4096;

struct Part {
  std::string name;                     // of the field
  std::optional<std::string> filename;  // as the client calls it: not for use as a path
  std::string_view content;             // within the body
};

/// The parts of `body` in their order. Strict: every line that is no content ends in CR LF, the
/// last boundary is there, and what stands before the first and behind the last is white space
/// only. Names and file names are valid UTF-8 without control characters.
/// @param content_type  of the whole: "multipart/form-data; boundary=..."
/// @error InvalidArgument  says what is wrong. ResourceExhausted  more than kPartsMax parts, or a
///        part's head longer than kPartHeadBytesMax.
/// @source RFC 2046 section 5.1; RFC 7578; HTML, "Multipart form data", for escapes in names.
Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace loam::http
