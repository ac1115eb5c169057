#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace loam {
namespace {

enum class Form { kWhole, kUnfinished, kBroken };
struct Scan {
  Form form;
  std::size_t length;  // bytes of the code point; for kUnfinished, the bytes that are there
};

/// Looks at the code point that begins at `text[0]`; `text` is not empty.
Scan scan_one(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {Form::kWhole, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Form::kBroken, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range shuts out overlong forms, surrogates and values past U+10FFFF.
  const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Form::kUnfinished, i};
    const std::uint8_t b = byte(i);
    if (b < (i == 1 ? low : 0x80) || b > (i == 1 ? high : 0xBF)) return {Form::kBroken, 1};
  }
  return {Form::kWhole, length};
}

/// Eight bytes at once: most text is mostly ASCII.
bool begins_with_ascii(const char* eight) {
  std::uint64_t bytes;
  std::memcpy(&bytes, eight, sizeof bytes);
  return (bytes & 0x8080808080808080U) == 0;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 8 && begins_with_ascii(text.data())) {
      text.remove_prefix(8);
      continue;
    }
    const Scan scan = scan_one(text);
    if (scan.form != Form::kWhole) return false;
    text.remove_prefix(scan.length);
  }
  return true;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::string_view tail = text.substr(text.size() - back);
    const Scan scan = scan_one(tail);
    if (scan.form == Form::kUnfinished && scan.length == back) return text.size() - back;
  }
  return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Scan scan = scan_one(text);
    if (scan.form == Form::kWhole)
      out += text.substr(0, scan.length);
    else
      out += "\xEF\xBF\xBD";
    text.remove_prefix(scan.length);
  }
  return out;
}

}  // namespace loam
