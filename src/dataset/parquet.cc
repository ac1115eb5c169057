#include "dataset/parquet.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/format.h"
#include "env/file.h"
#include "env/folders.h"

namespace loam::dataset {
namespace {

constexpr std::string_view kVersion = "v1.5.6";
constexpr std::string_view kHint = "tools/deps fetch duckdb";
constexpr const char* kFile = "libduckdb.so";

/// What the library may do, set when its database in memory is opened.
constexpr std::array<std::pair<const char*, const char*>, 7> kSettings = {{
    {"threads", "1"},
    {"memory_limit", "2GiB"},
    {"temp_directory", ""},  // no memory: an error, not files
    {"preserve_insertion_order", "true"},
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
    {"allow_community_extensions", "false"},
}};

/// Of a line. A row holds two conversations of 1 MiB at most, and JSON escapes a byte with six.
constexpr std::uint64_t kRowBytesMax = std::uint64_t{32} << 20;
/// Of the rows that are in memory before they are written as one group of the file.
constexpr std::uint64_t kGroupBytes = std::uint64_t{32} << 20;  // chosen
constexpr std::uint64_t kGroupRowsMin = 2048;                   // the library's vectors
constexpr std::uint64_t kGroupRowsMax = 122'880;                // the library's default

/// `duckdb_result`. Only the library looks inside.
struct QueryResult {
  std::array<std::uint64_t, 3> counts{};
  std::array<void*, 3> pointers{};
};

/// The functions that are used, by their names without `duckdb_`. A state is 0 if all is well;
/// handles are pointers.
struct Library {
  const char* (*library_version)() = nullptr;
  int (*create_config)(void** config) = nullptr;
  int (*set_config)(void* config, const char* name, const char* option) = nullptr;
  void (*destroy_config)(void** config) = nullptr;
  int (*open_ext)(const char* path, void** database, void* config, char** error) = nullptr;
  void (*close)(void** database) = nullptr;
  int (*connect)(void* database, void** connection) = nullptr;
  void (*disconnect)(void** connection) = nullptr;
  int (*query)(void* connection, const char* sql, QueryResult* result) = nullptr;
  const char* (*result_error)(QueryResult* result) = nullptr;
  std::uint64_t (*rows_changed)(QueryResult* result) = nullptr;
  void (*destroy_result)(QueryResult* result) = nullptr;
};

std::unexpected<Error> not_the_library(const env::Path& path, std::string_view why) {
  return fail(ErrorCode::kUnsupported,
              format("load DuckDB {} from {}: {}", kVersion, path.string(), why),
              std::string(kHint));
}

template <class Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  return function != nullptr;
}

Result<Library> load(const env::Path& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return not_the_library(path, "it is no library for this machine");
  Library out;
  const bool complete = find(handle, "duckdb_library_version", out.library_version) &&
                        find(handle, "duckdb_create_config", out.create_config) &&
                        find(handle, "duckdb_set_config", out.set_config) &&
                        find(handle, "duckdb_destroy_config", out.destroy_config) &&
                        find(handle, "duckdb_open_ext", out.open_ext) &&
                        find(handle, "duckdb_close", out.close) &&
                        find(handle, "duckdb_connect", out.connect) &&
                        find(handle, "duckdb_disconnect", out.disconnect) &&
                        find(handle, "duckdb_query", out.query) &&
                        find(handle, "duckdb_result_error", out.result_error) &&
                        find(handle, "duckdb_rows_changed", out.rows_changed) &&
                        find(handle, "duckdb_destroy_result", out.destroy_result);
  if (!complete) return not_the_library(path, "it lacks functions");
  const std::string_view version = out.library_version();
  if (version != kVersion) return not_the_library(path, format("it is {}", version));
  return out;
}

/// What was refused, without the rest of the library's message: that may quote a row.
std::unexpected<Error> refused(const Library& library, QueryResult& result,
                               std::string_view action) {
  const char* told = library.result_error(&result);
  const std::string_view message = told == nullptr ? "" : told;
  const std::string_view kind = message.substr(0, message.find(':'));
  const ErrorCode code = kind == "Out of Memory Error" ? ErrorCode::kResourceExhausted
                         : kind == "IO Error"          ? ErrorCode::kUnavailable
                                                       : ErrorCode::kCorrupt;
  return fail(code, format("{}: DuckDB says: {}", action, kind));
}

/// A database in memory with one connection.
class Session {
 public:
  explicit Session(const Library& library) : library_(library) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (connection_ != nullptr) library_.disconnect(&connection_);
    if (database_ != nullptr) library_.close(&database_);
  }

  Result<> open() {
    void* config = nullptr;
    bool good = library_.create_config(&config) == 0;
    for (const auto& [name, value] : kSettings)
      good = good && library_.set_config(config, name, value) == 0;
    good = good && library_.open_ext(nullptr, &database_, config, nullptr) == 0 &&
           library_.connect(database_, &connection_) == 0;
    library_.destroy_config(&config);
    if (!good) return fail(ErrorCode::kUnsupported, "start DuckDB: it refuses its settings");
    return {};
  }

  /// How many rows it changed. `action` is for messages.
  Result<std::uint64_t> run(const std::string& sql, std::string_view action) {
    QueryResult result;
    const bool good = library_.query(connection_, sql.c_str(), &result) == 0;
    const std::uint64_t rows = good ? library_.rows_changed(&result) : 0;
    Result<std::uint64_t> out = rows;
    if (!good) out = refused(library_, result, action);
    library_.destroy_result(&result);
    return out;
  }

 private:
  const Library& library_;
  void* database_ = nullptr;
  void* connection_ = nullptr;
};

/// `text` between `mark`s, each of them inside doubled.
std::string in_quotes(std::string_view text, char mark = '\'') {
  std::string out(1, mark);
  for (const char c : text) out.append(c == mark ? 2 : 1, c);
  return out + mark;
}

/// An open file as the library may name it: no sign of a path can mean anything to it.
std::string name_of(const env::Fd& file) {
  return in_quotes(format("/proc/self/fd/{}", file.get()));
}

/// Lines that hold something; the last one may lack its end.
Result<std::uint64_t> count_rows(const env::Fd& file, const env::Path& path) {
  std::vector<std::uint8_t> buffer(std::size_t{1} << 20);
  std::uint64_t rows = 0;
  bool open = false;  // inside a line
  for (std::uint64_t offset = 0;;) {
    const std::size_t got = LOAM_TRY(env::read_at(file, path, offset, buffer));
    if (got == 0) return rows + (open ? 1 : 0);
    const std::span<const std::uint8_t> part(buffer.data(), got);
    rows += static_cast<std::uint64_t>(std::ranges::count(part, std::uint8_t{'\n'}));
    open = part.back() != '\n';
    offset += got;
  }
}

std::string copy_statement(const env::Fd& from, const env::Fd& to, std::span<const Column> columns,
                           std::uint64_t group_rows) {
  std::string types;
  for (const Column& column : columns)
    types += format("{}{}: {}", types.empty() ? "" : ", ", in_quotes(column.name, '"'),
                    in_quotes(column.type));
  return format(
      "COPY (SELECT * FROM read_json({}, format='newline_delimited', records=true, "
      "auto_detect=false, maximum_object_size={}, columns={{{}}})) "
      "TO {} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {}, USE_TMP_FILE false)",
      name_of(from), kRowBytesMax, types, name_of(to), group_rows);
}

Result<> convert(const Library& library, const env::Fd& from, const env::Path& jsonl,
                 const env::Fd& to, const env::Path& parquet, std::span<const Column> columns) {
  const std::uint64_t rows = LOAM_TRY(count_rows(from, jsonl));
  const std::uint64_t bytes = LOAM_TRY(env::stamp(from)).size;
  const std::uint64_t group_rows = std::clamp(
      kGroupBytes * rows / std::max<std::uint64_t>(bytes, 1), kGroupRowsMin, kGroupRowsMax);
  Session session(library);
  LOAM_TRY(session.open());
  for (const std::string& setting :
       {format("SET allowed_paths=[{}, {}]", name_of(from), name_of(to)),
        std::string("SET enable_external_access=false"),
        std::string("SET lock_configuration=true")})
    static_cast<void>(LOAM_TRY(session.run(setting, "lock DuckDB in")));
  const std::string action = format("write {} from {}", parquet.string(), jsonl.string());
  const std::uint64_t written =
      LOAM_TRY(session.run(copy_statement(from, to, columns, group_rows), action));
  if (written != rows)
    return fail(ErrorCode::kCorrupt, format("{}: {} of {} rows came out", action, written, rows));
  return env::sync_file(to, parquet);
}

}  // namespace

Result<env::Path> find_duckdb(const env::Path& data) {
  if (const auto named = env::variable("LOAM_DUCKDB")) {
    if (env::is_plain_file(*named)) return env::Path(*named);
    return fail(ErrorCode::kNotFound, format("LOAM_DUCKDB: {} is no file", *named),
                std::string(kHint));
  }
  std::vector<env::Path> places = {data / kFile};
  // Of the user, not of a --home: what is fetched once serves every home.
  if (const auto user = env::find_folders(std::nullopt))
    places.push_back(user->cache / "sources" / LOAM_DUCKDB_FOLDER / kFile);
  const auto found = std::ranges::find_if(places, env::is_plain_file);
  if (found != places.end()) return *found;
  return fail(
      ErrorCode::kNotFound,
      format("Parquet: DuckDB's library is not here (looked for {})", places.back().string()),
      format("{}, or set LOAM_DUCKDB to the file", kHint));
}

Result<> write_parquet(const env::Path& library, const env::Path& jsonl, const env::Path& parquet,
                       std::span<const Column> columns) {
  const Library functions = LOAM_TRY(load(library));
  const env::Fd from = LOAM_TRY(env::open_read(jsonl));
  const env::Fd to = LOAM_TRY(env::create_file(parquet, 0644));
  auto done = convert(functions, from, jsonl, to, parquet, columns);
  if (!done) static_cast<void>(env::remove_file(parquet));  // the first error is the one to tell
  return done;
}

}  // namespace loam::dataset
