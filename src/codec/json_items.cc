#include "codec/json_items.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::codec {
namespace {

/// Whether one of eight bytes is a control character, a quotation mark, a backslash or no ASCII.
bool needs_care(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U, kHighBits = kOnes << 7;
  const auto zeros = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  std::uint64_t bytes;
  std::memcpy(&bytes, eight, sizeof bytes);
  const std::uint64_t found =
      bytes | (bytes - kOnes * 0x20) | zeros(bytes ^ (kOnes * '"')) | zeros(bytes ^ (kOnes * '\\'));
  return (found & kHighBits) != 0;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: out += format("\\u{:04x}", static_cast<unsigned char>(c)); break;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  std::string mended;
  if (!is_valid_utf8(text)) {
    mended = replace_invalid_utf8(text);
    text = mended;
  }
  out += '"';
  std::size_t written = 0;  // of the text; what needs no escape is appended in one piece
  for (std::size_t i = 0; i < text.size();) {
    if (text.size() - i >= 8 && !needs_care(text.data() + i)) {
      i += 8;
      continue;
    }
    for (const std::size_t end = std::min(i + 8, text.size()); i < end; ++i) {
      const char c = text[i];
      if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
      out += text.substr(written, i - written);
      written = i + 1;
      append_escaped(out, c);
    }
  }
  out += text.substr(written);
  out += '"';
}

std::string& JsonObject::value_of(std::string_view name) {
  if (!std::exchange(is_empty_, false)) out_ += ',';
  out_ += '"';
  out_ += name;
  out_ += "\":";
  return out_;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  append_json_string(value_of(name), value);
  return *this;
}

JsonObject& JsonObject::number(std::string_view name, std::int64_t value) {
  value_of(name) += std::to_string(value);
  return *this;
}

JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  value_of(name) += value ? "true" : "false";
  return *this;
}

}  // namespace loam::codec
