#include "node/config_file.h"

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "node/config.h"

namespace loam::node {
namespace {

/// The table that a line opens ("[load]" gives "load"); empty if it opens none.
std::string_view table_of(std::string_view line) {
  line = trim(line);
  const auto close = line.find(']');
  if (!line.starts_with('[') || line.starts_with("[[") || close == std::string_view::npos)
    return {};
  return trim(line.substr(1, close - 1));
}

/// Index of the line behind which `table` begins, or of the first table for keys of none.
struct Place {
  std::size_t line = 0;
  std::string key;
};

Place place_for(const std::vector<std::string>& lines, std::string_view path) {
  const auto dot = path.rfind('.');
  const std::string_view table = dot == std::string_view::npos ? "" : path.substr(0, dot);
  std::size_t first_table = lines.size();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).starts_with('[') && first_table == lines.size()) first_table = i;
    if (!table.empty() && table_of(lines[i]) == table)
      return {i + 1, std::string(path.substr(dot + 1))};
  }
  return {first_table, std::string(path)};
}

}  // namespace

Result<std::vector<codec::TomlEntry>> parse_config_file(std::string_view text,
                                                        std::string_view name) {
  auto entries = codec::parse_toml(text, name);
  if (!entries) entries.error().hint = "`loam config edit` opens your own file";
  return entries;
}

Result<std::string> edit_config_text(const std::string& text, const Setting& setting,
                                     const Config& config) {
  std::vector<std::string> lines;
  for (const auto line : split(text, '\n')) lines.emplace_back(line);
  if (lines.back().empty()) lines.pop_back();

  const std::string value = toml_text(setting, config);
  const auto entries = LOAM_TRY(parse_config_file(text, "config"));
  const auto old = std::ranges::find(entries, setting.path, &codec::TomlEntry::path);
  if (old != entries.end()) {
    std::string& line = lines[old->line - 1];
    line = format("{} = {}", trim(std::string_view(line).substr(0, line.find('='))), value);
  } else {
    const Place place = place_for(lines, setting.path);
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(place.line),
                 format("{} = {}", place.key, value));
  }
  std::string out;
  for (const auto& line : lines) out += line + "\n";

  // Only a text that reads back as meant is written: inline tables and values over several lines
  // are left to the person's own editor.
  const auto again = parse_config_file(out, "config");
  const auto is_set = [&](const codec::TomlEntry& entry) {
    return entry.path == setting.path &&
           entry.value == (*parse_config_file(format("x = {}", value), "value"))[0].value;
  };
  if (!again || std::ranges::count_if(*again, is_set) != 1 ||
      again->size() != entries.size() + (old == entries.end() ? 1 : 0))
    return fail(ErrorCode::kInvalidArgument,
                format("set {}: the file is written in a way that cannot be edited by program",
                       setting.path),
                "`loam config edit` opens it");
  return out;
}

}  // namespace loam::node
