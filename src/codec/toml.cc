#include "codec/toml.h"

#include <toml++/toml.h>

#include <algorithm>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::codec {
namespace {

// toml++ refuses arrays and inline tables nested deeper than its TOML_MAX_NESTED_VALUES, 256, but
// each dot of a key opens a table too, and all of them are taken down by recursion. So nothing is
// nested deeper than dots and 256 together.
constexpr std::ptrdiff_t kDotsMax = 2048;
static_assert(TOML_MAX_NESTED_VALUES <= 256);

Value to_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* array = node.as_array()) {
    Array out;
    for (const auto& item : *array) out.push_back(to_value(item));
    return out;
  }
  return nullptr;
}

/// Ends at a path that is too long, so that a long table's name is not written once for each of
/// its keys and nothing recurses far.
/// @return the line of that path; 0 if there is none.
unsigned flatten(const toml::table& table, const std::string& prefix, std::vector<TomlEntry>& out) {
  for (const auto& [key, node] : table) {
    const auto line = static_cast<unsigned>(key.source().begin.line);
    if (prefix.size() + key.str().size() > kTomlPathBytesMax) return line;
    const std::string path = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      if (const unsigned too_long = flatten(*inner, path + ".", out)) return too_long;
    } else {
      out.push_back({path, to_value(node), line});
    }
  }
  return 0;
}

Result<toml::table> parse_tree(std::string_view text, std::string_view name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return fail(
        ErrorCode::kInvalidArgument,
        format("{}:{}: not TOML: {}", name, error.source().begin.line, error.description()));
  }
}

}  // namespace

Result<std::vector<TomlEntry>> parse_toml(std::string_view text, std::string_view name) {
  if (text.size() > kTomlBytesMax)
    return fail(ErrorCode::kResourceExhausted,
                format("{}: {} bytes; at most {} are read", name, text.size(), kTomlBytesMax));
  if (std::ranges::count(text, '.') > kDotsMax)
    return fail(
        ErrorCode::kResourceExhausted,
        format("{}: more than {} dots, which may be as many tables in each other", name, kDotsMax));
  const toml::table tree = LOAM_TRY(parse_tree(text, name));
  std::vector<TomlEntry> out;
  if (const unsigned line = flatten(tree, "", out))
    return fail(ErrorCode::kResourceExhausted,
                format("{}:{}: a key of more than {} bytes", name, line, kTomlPathBytesMax));
  std::ranges::stable_sort(out, {}, &TomlEntry::line);
  return out;
}

std::string describe_toml(const Value& value) {
  constexpr std::size_t kShownBytes = 60;  // chosen: it is part of a line
  if (const auto* number = value.as_int()) return std::to_string(*number);
  if (const auto* number = value.as_double()) return format("{}", *number);
  if (const auto* flag = value.as_bool()) return *flag ? "true" : "false";
  if (const auto* text = value.as_string()) {
    if (text->size() <= kShownBytes) return toml_quoted(*text);
    const std::string_view begin = std::string_view(*text).substr(0, kShownBytes);
    return toml_quoted(begin.substr(0, complete_utf8_prefix(begin))) + "...";
  }
  return value.as_array() != nullptr ? "[...]" : "a date";
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace loam::codec
