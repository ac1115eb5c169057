#include "store/database.h"

#include <sqlite3.h>

#include <unordered_map>

#include "base/check.h"
#include "base/format.h"
#include "env/file.h"
#include "store/page_gaps.h"
#include "store/sqlite_error.h"

namespace loam::store {
namespace {

/// How long a statement waits for another process, such as a backup, to let go. Chosen.
constexpr int kBusyTimeoutMs = 5000;

constexpr const char* kSettings =
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA secure_delete=ON;"
    "PRAGMA foreign_keys=ON;";

struct CloseDatabase {
  // close_v2 waits for statements that are still alive.
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinishStatement>;

/// Statements that ended, by their SQL, to be used again: compiling one costs more than running it.
class EndedStatements {
 public:
  /// Null if there is none.
  StatementHandle take(const std::string& sql) {
    auto found = ended_.extract(sql);
    return found ? std::move(found.mapped()) : nullptr;
  }
  /// What was bound to it is forgotten.
  void put(std::string sql, StatementHandle statement) {
    sqlite3_reset(statement.get());
    sqlite3_clear_bindings(statement.get());
    if (ended_.size() == kMax)
      ended_.erase(ended_.begin());  // any: SQL that is made has many texts
    ended_.emplace(std::move(sql), std::move(statement));
  }

 private:
  static constexpr std::size_t kMax = 64;  // chosen
  std::unordered_map<std::string, StatementHandle> ended_;
};

}  // namespace

struct Statement::State {
  StatementHandle handle;
  std::string sql;
  std::weak_ptr<EndedStatements> ended;
  env::Path path;
  int bind_status = SQLITE_OK;  // the first that failed; step() reports it

  State() = default;
  ~State() {
    if (const auto to = ended.lock(); to && handle) to->put(std::move(sql), std::move(handle));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void bound(int status) {
    if (bind_status == SQLITE_OK) bind_status = status;
  }
  Error error(std::string_view action, int status) const {
    return sqlite_error(sqlite3_db_handle(handle.get()), path, action, status);
  }
};

Statement::Statement(std::unique_ptr<State> state) : state_(std::move(state)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;
Statement::~Statement() = default;

Statement& Statement::bind(int index, std::int64_t value) {
  state_->bound(sqlite3_bind_int64(state_->handle.get(), index + 1, value));
  return *this;
}

Statement& Statement::bind(int index, double value) {
  state_->bound(sqlite3_bind_double(state_->handle.get(), index + 1, value));
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL: an empty text is not that.
  const char* data = value.data() == nullptr ? "" : value.data();
  state_->bound(sqlite3_bind_text64(state_->handle.get(), index + 1, data, value.size(),
                                    SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int index, ByteView value) {
  state_->bound(value.empty() ? sqlite3_bind_zeroblob(state_->handle.get(), index + 1, 0)
                              : sqlite3_bind_blob64(state_->handle.get(), index + 1, value.data(),
                                                    value.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int index) {
  state_->bound(sqlite3_bind_null(state_->handle.get(), index + 1));
  return *this;
}

Result<bool> Statement::step() {
  sqlite3_stmt* statement = state_->handle.get();
  if (state_->bind_status != SQLITE_OK)
    return std::unexpected(state_->error("bind", std::exchange(state_->bind_status, SQLITE_OK)));
  const int status = sqlite3_step(statement);
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) {
    sqlite3_reset(statement);
    return false;
  }
  Error error = state_->error("run", status);
  sqlite3_reset(statement);
  return std::unexpected(std::move(error));
}

Result<> Statement::run() {
  const bool row = LOAM_TRY(step());
  if (row) sqlite3_reset(state_->handle.get());
  LOAM_CHECK(!row);
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(state_->handle.get(), column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(state_->handle.get(), column);
}

std::string Statement::text(int column) const {
  const auto* data = sqlite3_column_text(state_->handle.get(), column);
  if (data == nullptr) return {};
  const int size = sqlite3_column_bytes(state_->handle.get(), column);
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Bytes Statement::blob(int column) const {
  const auto* data =
      static_cast<const std::uint8_t*>(sqlite3_column_blob(state_->handle.get(), column));
  if (data == nullptr) return {};
  return {data, data + sqlite3_column_bytes(state_->handle.get(), column)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(state_->handle.get(), column) == SQLITE_NULL;
}

struct Database::State {
  std::unique_ptr<sqlite3, CloseDatabase> handle;
  env::Path path;
  std::shared_ptr<EndedStatements> ended = std::make_shared<EndedStatements>();

  Error error(std::string_view action, int status) const {
    return sqlite_error(handle.get(), path, action, status);
  }
  Result<> execute(const std::string& sql, std::string_view action) {
    const int status = sqlite3_exec(handle.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (status != SQLITE_OK) return std::unexpected(error(action, status));
    return {};
  }
  /// SQLite does not wait until its write-ahead log is cut: after a power cut it could be played
  /// again, with what was erased.
  Result<> sync_wal() {
    sqlite3_file* wal = nullptr;
    sqlite3_file_control(handle.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (wal == nullptr || wal->pMethods == nullptr) return {};  // not opened yet
    const int status = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    if (status != SQLITE_OK) return std::unexpected(error("sync the write-ahead log of", status));
    return {};
  }
  /// After some errors (a full disk) SQLite has rolled back by itself.
  void roll_back() {
    if (sqlite3_get_autocommit(handle.get()) == 0)
      sqlite3_exec(handle.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

namespace {

/// SQLite makes files that others may read; its side files take the rights of the main one.
Result<> make_private(const env::Path& path) {
  const auto mode = env::permissions(path);
  if (mode && (*mode & 077U) == 0) return {};
  if (mode) return env::set_permissions(path, 0600);
  if (mode.error().code != ErrorCode::kNotFound) return std::unexpected(mode.error());
  const auto made = env::create_file(path, 0600);
  if (!made) return std::unexpected(made.error());
  return {};
}

}  // namespace

Result<Database> Database::open(const env::Path& path,
                                std::span<const std::string_view> migrations) {
  LOAM_TRY(make_private(path));
  auto state = std::make_unique<State>();
  state->path = path;
  sqlite3* handle = nullptr;
  const int status =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  state->handle.reset(handle);
  if (status != SQLITE_OK) return std::unexpected(state->error("open", status));
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  LOAM_TRY(state->execute(kSettings, "set up"));

  Database database(std::move(state));
  LOAM_TRY(database.migrate(migrations));
  // A process that was killed, or a power cut, may have left erased text in it.
  LOAM_TRY(database.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  return database;
}

Result<> Database::migrate(std::span<const std::string_view> migrations) {
  std::int64_t applied = 0;
  {
    Statement version = LOAM_TRY(prepare("PRAGMA user_version"));
    if (LOAM_TRY(version.step())) applied = version.integer(0);
  }
  if (applied < 0 || static_cast<std::uint64_t>(applied) > migrations.size())
    return fail(ErrorCode::kUnsupported,
                format("store {}: format {} is newer than this Loam knows ({})",
                       state_->path.string(), applied, migrations.size()),
                "start the newer Loam that wrote it, or use another home (--home DIR)");
  for (auto i = static_cast<std::size_t>(applied); i < migrations.size(); ++i)
    LOAM_TRY(transaction([&] {
      auto done = execute(migrations[i]);
      if (done) done = execute(format("PRAGMA user_version={}", i + 1));
      return done;
    }));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  auto statement = std::make_unique<Statement::State>();
  statement->sql = sql;
  statement->path = state_->path;
  statement->handle = state_->ended->take(statement->sql);
  if (!statement->handle) {
    sqlite3_stmt* handle = nullptr;
    const int status =
        sqlite3_prepare_v3(state_->handle.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
    statement->handle.reset(handle);
    if (status != SQLITE_OK) return std::unexpected(state_->error("prepare", status));
    LOAM_CHECK(handle != nullptr);  // empty SQL
  }
  statement->ended = state_->ended;
  return Statement(std::move(statement));
}

Result<> Database::execute(std::string_view sql) {
  return state_->execute(std::string(sql), "run");
}

Result<> Database::transaction(const std::function<Result<>()>& body) {
  LOAM_CHECK(sqlite3_get_autocommit(state_->handle.get()) != 0);
  LOAM_TRY(state_->execute("BEGIN IMMEDIATE", "begin"));
  auto done = body();
  if (done) done = state_->execute("COMMIT", "commit");
  if (!done) state_->roll_back();
  return done;
}

std::int64_t Database::changes() const { return sqlite3_changes64(state_->handle.get()); }

Result<> Database::truncate_wal() {
  const int status = sqlite3_wal_checkpoint_v2(state_->handle.get(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (status != SQLITE_OK)
    return std::unexpected(state_->error("empty the write-ahead log of", status));
  LOAM_TRY(state_->sync_wal());
  return zero_page_gaps(state_->handle.get(), state_->path);
}

Result<> Database::check() {
  Statement statement = LOAM_TRY(prepare("PRAGMA integrity_check(1)"));
  const bool row = LOAM_TRY(statement.step());
  if (!row || statement.text(0) != "ok")
    return std::unexpected(damaged(state_->path, row ? statement.text(0) : "no answer"));
  return {};
}

}  // namespace loam::store
