#include "node/config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "codec/toml.h"
#include "node/config_file.h"

namespace loam::node {
namespace {

constexpr std::int64_t kDayS = 86'400;

std::string duration_text(std::int64_t seconds) {
  if (seconds <= 0) return std::to_string(seconds);
  for (const auto& [unit, letter] :
       {std::pair{kDayS, 'd'}, {std::int64_t{3600}, 'h'}, {std::int64_t{60}, 'm'}})
    if (seconds % unit == 0) return format("{}{}", seconds / unit, letter);
  return format("{}s", seconds);
}

std::string size_text(std::int64_t bytes) {
  for (const auto& [shift, letter] : {std::pair{40, 'T'}, {30, 'G'}, {20, 'M'}, {10, 'K'}})
    if (bytes > 0 && bytes % (std::int64_t{1} << shift) == 0)
      return format("{}{}", bytes >> shift, letter);
  return std::to_string(bytes);
}

/// A number as its kind writes it; empty if it is none.
std::optional<std::int64_t> parse_as(Kind kind, std::string_view text) {
  if (kind == Kind::kDuration) return parse_duration_s(text);
  if (kind == Kind::kDays) {
    if (const auto days = parse_int(text)) return days;
    const auto seconds = parse_duration_s(text);
    if (!seconds || *seconds < 0 || *seconds % kDayS != 0) return std::nullopt;
    return *seconds / kDayS;
  }
  if (kind == Kind::kSize) {
    const auto bytes = parse_size(text);
    if (!bytes || *bytes > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(*bytes);
  }
  return parse_int(text);
}

std::string_view example(Kind kind) {
  switch (kind) {
    case Kind::kText: return "a text";
    case Kind::kFlag: return "true or false";
    case Kind::kCount: return "a whole number";
    case Kind::kSize: return "a size such as 512K, 8M or 2G";
    case Kind::kDuration: return "a time such as 90s, 5m or 2h";
    case Kind::kDays: return "a number of days such as 30";
    case Kind::kList: return "a list of texts";
  }
  return "";
}

std::string number_text(Kind kind, std::int64_t value) {
  if (kind == Kind::kDuration) return duration_text(value);
  if (kind == Kind::kSize) return size_text(value);
  return std::to_string(value);
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : std::string(between)) + word;
  return out;
}

Error wrong_value(const Setting& setting, std::string_view given) {
  return {ErrorCode::kInvalidArgument,
          format("{} = {}: expected {}", setting.path, given, example(setting.kind)), ""};
}

Result<> check_range(const Setting& setting, std::int64_t value) {
  if (value >= setting.min && value <= setting.max) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      format("{} = {}: must lie between {} and {}", setting.path, number_text(setting.kind, value),
             number_text(setting.kind, setting.min), number_text(setting.kind, setting.max)));
}

Result<> check_word(const Setting& setting, std::string_view value) {
  if (setting.words.empty() || std::ranges::find(setting.words, value) != setting.words.end())
    return {};
  std::string allowed;
  for (const auto word : setting.words)
    allowed += format("{}{}", allowed.empty() ? "" : ", ", word);
  return fail(ErrorCode::kInvalidArgument,
              format("{} = {}: must be one of {}", setting.path, value, allowed));
}

Result<> set_list(Config& config, const Setting& setting, std::vector<std::string> words) {
  *std::get<std::vector<std::string>*>(setting.field(config)) = std::move(words);
  return {};
}

/// Sets a setting from what a file holds.
Result<> set_from_value(Config& config, const Setting& setting, const codec::Value& value) {
  const Field field = setting.field(config);
  if (const auto* text = value.as_string()) {
    const bool plain_number = setting.kind == Kind::kCount;
    if (setting.kind == Kind::kFlag || setting.kind == Kind::kList || plain_number)
      return std::unexpected(wrong_value(setting, codec::toml_quoted(*text)));
    return set_from_text(config, setting, *text);
  }
  if (const auto* flag = value.as_bool(); flag != nullptr && setting.kind == Kind::kFlag) {
    *std::get<bool*>(field) = *flag;
    return {};
  }
  if (const auto* number = value.as_int();
      number != nullptr && std::holds_alternative<std::int64_t*>(field)) {
    LOAM_TRY(check_range(setting, *number));
    *std::get<std::int64_t*>(field) = *number;
    return {};
  }
  if (const auto* array = value.as_array(); array != nullptr && setting.kind == Kind::kList) {
    std::vector<std::string> words;
    for (const auto& item : *array) {
      if (item.as_string() == nullptr) return std::unexpected(wrong_value(setting, "[...]"));
      words.push_back(*item.as_string());
    }
    return set_list(config, setting, std::move(words));
  }
  return std::unexpected(wrong_value(setting, codec::describe_toml(value)));
}

Error at(Error error, const std::string& place) {
  error.message = format("{}: {}", place, error.message);
  return error;
}

Result<> apply_file(LoadedConfig& loaded, const env::Path& file) {
  const auto text = env::read_file(file, 1U << 20);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return {};
    return std::unexpected(text.error());
  }
  loaded.files_read.push_back(file);
  for (const auto& entry : LOAM_TRY(parse_config_file(*text, file.string()))) {
    const std::string place = format("{}:{}", file.string(), entry.line);
    const auto setting = find_setting(entry.path);
    if (!setting) {
      Error error = at(setting.error(), place);
      error.code = ErrorCode::kInvalidArgument;
      return std::unexpected(std::move(error));
    }
    if (const auto set = set_from_value(loaded.config, **setting, entry.value); !set)
      return std::unexpected(at(set.error(), place));
    loaded.origins[entry.path] = place;
  }
  return {};
}

Result<> apply_flag(LoadedConfig& loaded, const std::string& flag) {
  const auto equals = flag.find('=');
  if (equals == std::string::npos)
    return fail(ErrorCode::kInvalidArgument, format("--set {}: expected path=value", flag),
                "for example --set load.context=8192; `loam config` lists the settings");
  const std::string path(trim(std::string_view(flag).substr(0, equals)));
  const auto setting = find_setting(path);
  if (!setting) {
    Error error = at(setting.error(), "--set");
    error.code = ErrorCode::kInvalidArgument;
    return std::unexpected(std::move(error));
  }
  if (const auto set = set_from_text(loaded.config, **setting, flag.substr(equals + 1)); !set)
    return std::unexpected(at(set.error(), "--set"));
  loaded.origins[path] = "--set";
  return {};
}

}  // namespace

Result<const Setting*> find_setting(std::string_view path) {
  std::vector<std::string> names;
  for (const auto& setting : settings()) {
    if (setting.path == path) return &setting;
    names.emplace_back(setting.path);
  }
  const auto close = nearest(path, names);
  return fail(ErrorCode::kNotFound, format("unknown setting {}", path),
              close ? format("did you mean {}?", *close) : "`loam config` lists the settings");
}

std::string variable_name(const Setting& setting) {
  std::string out = "LOAM_";
  for (const char c : setting.path)
    out += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return out;
}

std::string value_text(const Setting& setting, const Config& config) {
  Config copy = config;
  const Field field = setting.field(copy);
  if (const auto* const* text = std::get_if<std::string*>(&field)) return **text;
  if (const auto* const* flag = std::get_if<bool*>(&field)) return **flag ? "true" : "false";
  if (const auto* const* number = std::get_if<std::int64_t*>(&field))
    return number_text(setting.kind, **number);
  return join(**std::get_if<std::vector<std::string>*>(&field), ",");
}

std::string toml_text(const Setting& setting, const Config& config) {
  Config copy = config;
  const Field field = setting.field(copy);
  if (const auto* const* words = std::get_if<std::vector<std::string>*>(&field)) {
    std::vector<std::string> out;
    for (const auto& word : **words) out.push_back(codec::toml_quoted(word));
    return "[" + join(out, ", ") + "]";
  }
  const std::string text = value_text(setting, config);
  if (std::holds_alternative<std::string*>(field)) return codec::toml_quoted(text);
  return parse_int(text) || std::holds_alternative<bool*>(field) ? text : codec::toml_quoted(text);
}

Result<> set_from_text(Config& config, const Setting& setting, std::string_view text) {
  const Field field = setting.field(config);
  if (auto* const* target = std::get_if<std::string*>(&field)) {
    LOAM_TRY(check_word(setting, text));
    **target = std::string(text);
    return {};
  }
  if (auto* const* target = std::get_if<bool*>(&field)) {
    const std::string word = to_lower_ascii(trim(text));
    const bool yes = word == "true" || word == "1" || word == "yes" || word == "on";
    const bool no = word == "false" || word == "0" || word == "no" || word == "off";
    if (!yes && !no) return std::unexpected(wrong_value(setting, text));
    **target = yes;
    return {};
  }
  if (auto* const* target = std::get_if<std::int64_t*>(&field)) {
    const auto number = parse_as(setting.kind, trim(text));
    if (!number) return std::unexpected(wrong_value(setting, text));
    LOAM_TRY(check_range(setting, *number));
    **target = *number;
    return {};
  }
  std::vector<std::string> words;
  for (const auto piece : split(text, ','))
    if (!trim(piece).empty()) words.emplace_back(trim(piece));
  return set_list(config, setting, std::move(words));
}

ConfigSources default_sources(const env::Folders& folders, std::vector<std::string> flags) {
  return {{"/etc/loam/config.toml", folders.config / "config.toml", "loam.toml"},
          [](const char* name) { return env::variable(name); },
          std::move(flags)};
}

Result<LoadedConfig> load_config(const ConfigSources& sources) {
  LoadedConfig loaded;
  for (const auto& file : sources.files) LOAM_TRY(apply_file(loaded, file));
  for (const auto& setting : settings()) {
    const std::string name = variable_name(setting);
    const auto text = sources.variable ? sources.variable(name.c_str()) : std::nullopt;
    if (!text) continue;
    if (const auto set = set_from_text(loaded.config, setting, *text); !set)
      return std::unexpected(at(set.error(), name));
    loaded.origins[std::string(setting.path)] = name;
  }
  for (const auto& flag : sources.flags) LOAM_TRY(apply_flag(loaded, flag));
  return loaded;
}

bool operator==(const Config& a, const Config& b) {
  return std::ranges::all_of(settings(), [&](const Setting& setting) {
    return toml_text(setting, a) == toml_text(setting, b);
  });
}

std::string config_markdown() {
  std::string out = "| setting | default | unit | meaning |\n|---|---|---|---|\n";
  const Config defaults;
  for (const auto& setting : settings()) {
    const std::string value = value_text(setting, defaults);
    out += format("| `{}` | {} | {} | {} |\n", setting.path,
                  value.empty() ? "" : format("`{}`", value), setting.unit, setting.meaning);
  }
  return out;
}

}  // namespace loam::node
