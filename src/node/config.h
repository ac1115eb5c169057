// The settings of a node: one struct tree, and one table that names, checks and explains each.
//
// `loam config` prints the table, docs/config.md is generated from it, and files, environment and
// flags are all read by it: a setting that is not in the table does not exist.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "env/disk.h"
#include "env/folders.h"

namespace loam::node {

/// Every setting with its default. Units are in the table (settings()).
struct Config {
  std::string listen = "127.0.0.1:5626";
  std::string public_listen;  // empty: nowhere
  struct Allow {
    std::vector<std::string> hosts;
    std::vector<std::string> origins;
  } allow;
  struct Tls {
    std::string certificate;
    std::string key;
  } tls;
  std::int64_t keep_alive = 300;
  std::int64_t models_max = 4;
  std::int64_t memory_max = 0;
  struct Load {
    std::int64_t context = 4096;
    std::int64_t sequences = 16;
    std::int64_t queue = 256;
    std::int64_t threads = 0;
    std::int64_t chunk = 256;
    std::int64_t timeout = 120;
  } load;
  struct Training {
    std::int64_t threads = 0;
    std::int64_t memory_max = 0;
  } training;
  struct History {
    std::int64_t keep = 30;
  } history;
  struct Share {
    std::int64_t cooling = 600;
    std::int64_t batch = 3600;
  } share;
  struct Follow {
    std::int64_t poll = 600;
  } follow;
  struct Channels {
    std::int64_t poll = 900;
    bool attest = false;
  } channels;
  struct Limits {
    std::int64_t body_bytes = 8 << 20;
    std::int64_t head_bytes = 32 << 10;
    std::int64_t connections = 4096;
    std::int64_t handlers = 8;
  } limits;
  struct Log {
    std::string level = "info";
  } log;
  struct Pull {
    std::string hub;  // empty: the model hub that catalog/pull.h names
  } pull;
  bool offline = false;
  std::int64_t stop_grace = 10;
  friend bool operator==(const Config&, const Config&);
};

/// How a setting is written. Sizes take "8M", durations "5m" (or whole seconds), days "30d" (or
/// whole days); lists are TOML arrays, or words between commas outside a file.
enum class Kind { kText, kFlag, kCount, kSize, kDuration, kDays, kList };

/// Where a setting's value lives inside a Config.
using Field = std::variant<std::string*, bool*, std::int64_t*, std::vector<std::string>*>;

/// One row of the table.
struct Setting {
  std::string_view path;  // "load.context"
  Kind kind;
  std::string_view unit;  // "tokens"; empty if it has none
  std::string_view meaning;
  Field (*field)(Config&);
  std::int64_t min = 0;  // of numbers
  std::int64_t max = 0;
  std::vector<std::string_view> words = {};  // if not empty, the only texts allowed
};

/// In the order in which they are shown.
const std::vector<Setting>& settings();
/// @error NotFound  no such setting; the hint names the nearest.
Result<const Setting*> find_setting(std::string_view path);

/// "LOAM_LOAD_CONTEXT" for load.context.
std::string variable_name(const Setting& setting);
/// The value as a person writes it: "5m", "8M", "a.example,b.example".
std::string value_text(const Setting& setting, const Config& config);
/// The value as TOML writes it.
std::string toml_text(const Setting& setting, const Config& config);
/// Sets one setting from text, as flags and variables give it.
/// @error InvalidArgument  wrong type or out of range; names the setting, not where it came from.
Result<> set_from_text(Config& config, const Setting& setting, std::string_view text);

/// Everything that may say something about a setting, weakest first.
struct ConfigSources {
  std::vector<env::Path> files;  // system, user, project; those that do not exist are skipped
  std::function<std::optional<std::string>(const char*)> variable;  // the environment
  std::vector<std::string> flags;                                   // "path=value" of --set
};
/// /etc/loam/config.toml, config.toml of `folders`, ./loam.toml; the environment; `flags`.
ConfigSources default_sources(const env::Folders& folders, std::vector<std::string> flags);

/// The settings in force and where each that is not a default came from.
struct LoadedConfig {
  Config config;
  std::map<std::string, std::string, std::less<>>
      origins;  // path -> "/etc/...:3", "LOAM_X", "--set"
  std::vector<env::Path> files_read;
};

/// @error InvalidArgument  unknown key (names the file, the line, the key and the nearest), a wrong
///                         type, a value out of range, or a file that is not TOML.
/// @error PermissionDenied  a file that cannot be read.
Result<LoadedConfig> load_config(const ConfigSources& sources);

/// Text of a config file with `setting` set to what `config` holds; comments and order are kept.
/// @error InvalidArgument  `text` is not TOML, or is written in a way this cannot edit.
Result<std::string> edit_config_text(const std::string& text, const Setting& setting,
                                     const Config& config);

/// The table for docs/config.md.
std::string config_markdown();

/// A listen address taken apart.
struct ListenAddress {
  std::string host;  // literal IPv4 or IPv6, without brackets
  std::uint16_t port = 0;
  bool loopback = false;
  /// "http://127.0.0.1:5626"; an address that means "all" becomes the loopback one.
  std::string url(bool tls, std::uint16_t bound_port) const;
};
/// "127.0.0.1:5626", "[::1]:5626", "localhost:0", ":5626" and "5626" (both loopback).
/// @error InvalidArgument
Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace loam::node
