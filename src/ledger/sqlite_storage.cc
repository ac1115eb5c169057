#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/format.h"
#include "ledger/storage.h"
#include "store/database.h"

namespace loam::ledger {
namespace {

constexpr std::array<std::string_view, 2> kMigrations = {
    R"sql(
  CREATE TABLE records (
    place INTEGER PRIMARY KEY,  -- in the log, from 0
    id BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    blocked INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE refs (
    target BLOB NOT NULL,
    place INTEGER NOT NULL REFERENCES records(place),
    PRIMARY KEY (target, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE bodies (
    id BLOB PRIMARY KEY,
    salt BLOB NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE retracted (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE tokens (token TEXT PRIMARY KEY, id BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE authors (
    key BLOB PRIMARY KEY,
    next_seq INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    recovery BLOB,
    predecessor BLOB
  ) STRICT, WITHOUT ROWID;
)sql",
    // Bodies lie in the order of their records: a random id would touch a page of its own for each.
    R"sql(
  CREATE TABLE placed (
    place INTEGER PRIMARY KEY,  -- of the record
    salt BLOB NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  INSERT INTO placed SELECT place, salt, body FROM bodies JOIN records USING (id) ORDER BY place;
  DROP TABLE bodies;
  ALTER TABLE placed RENAME TO bodies;
)sql"};

constexpr std::size_t kAuthorsKept = 10'000;  // in memory; a log of strangers may have any number

void bind_key(store::Statement& statement, int index, const std::optional<crypto::PublicKey>& key) {
  if (key)
    statement.bind_blob(index, *key);
  else
    statement.bind_null(index);
}

class SqliteStorage final : public Storage {
 public:
  SqliteStorage(env::Path file, store::Database database)
      : file_(std::move(file)), database_(std::move(database)) {}

  Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const override {
    if (const auto known = authors_.find(key); known != authors_.end()) return known->second;
    auto row = LOAM_TRY(database_.prepare(
        "SELECT next_seq, ended, recovery, predecessor FROM authors WHERE key = ?"));
    row.bind_blob(0, key);
    if (!LOAM_TRY(row.step())) return std::nullopt;
    AuthorState out;
    out.next_seq = static_cast<std::uint64_t>(row.integer(0));
    out.ended = row.integer(1) != 0;
    if (!row.is_null(2)) out.recovery = LOAM_TRY(fixed<32>(row.blob(2)));
    if (!row.is_null(3)) out.predecessor = LOAM_TRY(fixed<32>(row.blob(3)));
    if (writing_) authors_.emplace(key, out);
    return out;
  }

  Result<std::optional<RecordState>> record(const RecordId& id) const override {
    auto row = LOAM_TRY(database_.prepare(
        "SELECT bytes, EXISTS (SELECT 1 FROM retracted WHERE retracted.id = records.id) "
        "FROM records WHERE id = ?"));
    row.bind_blob(0, id.digest);
    if (!LOAM_TRY(row.step())) return std::nullopt;
    const Record found = LOAM_TRY(decode_stored(row.blob(0)));
    return RecordState{found.header.kind, found.header.author, found.header.refs,
                       row.integer(1) != 0};
  }

  Result<> transaction(const std::function<Result<>()>& body) override {
    changed_authors_.clear();
    writing_ = true;
    auto done = database_.transaction([&]() -> Result<> {
      LOAM_TRY(body());
      for (const crypto::PublicKey& key : changed_authors_) LOAM_TRY(write_author(key));
      return {};
    });
    writing_ = false;
    if (!done) size_.reset();  // it counts what was rolled back; and so with authors
    if (!done || authors_.size() > kAuthorsKept) authors_.clear();
    return done;
  }

  Result<std::uint64_t> append(const Record& record, const Delta& delta) override {
    const std::uint64_t place = LOAM_TRY(size());
    auto insert =
        LOAM_TRY(database_.prepare("INSERT INTO records (place, id, bytes) VALUES (?, ?, ?)"));
    insert.bind(0, static_cast<std::int64_t>(place));
    LOAM_TRY(insert.bind_blob(1, record.id.digest).bind_blob(2, record.bytes).run());
    for (const RecordId& target : record.header.refs) {
      auto ref =
          LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO refs (target, place) VALUES (?, ?)"));
      ref.bind_blob(0, target.digest);
      LOAM_TRY(ref.bind(1, static_cast<std::int64_t>(place)).run());
    }
    put_author(record.header.author, delta.author);
    for (const auto& [key, author] : delta.named) put_author(key, author);
    if (delta.erased) LOAM_TRY(erase(*delta.erased));
    size_ = place + 1;
    return place;
  }

  Result<> put_body(const RecordId& id, const SaltedBody& body) override {
    auto insert =
        LOAM_TRY(database_.prepare("INSERT OR REPLACE INTO bodies (place, salt, body) "
                                   "SELECT place, ?2, ?3 FROM records WHERE id = ?1 "
                                   "AND NOT EXISTS (SELECT 1 FROM retracted WHERE id = ?1)"));
    return insert.bind_blob(0, id.digest).bind_blob(1, body.salt).bind_blob(2, body.body).run();
  }

  Result<> put_token(std::string_view token, const RecordId& id) override {
    auto insert = LOAM_TRY(database_.prepare("INSERT INTO tokens (token, id) VALUES (?, ?)"));
    return insert.bind(0, token).bind_blob(1, id.digest).run();
  }

  Result<std::optional<RecordId>> find_token(std::string_view token) override {
    auto row = LOAM_TRY(database_.prepare("SELECT id FROM tokens WHERE token = ?"));
    row.bind(0, token);
    if (!LOAM_TRY(row.step())) return std::nullopt;
    return RecordId{LOAM_TRY(fixed<32>(row.blob(0)))};
  }

  Result<> set_blocked(const RecordId& id, bool blocked) override {
    auto update = LOAM_TRY(database_.prepare("UPDATE records SET blocked = ? WHERE id = ?"));
    return update.bind(0, std::int64_t{blocked}).bind_blob(1, id.digest).run();
  }

  Result<> withdraw(const RecordId& id) override { return erase(id); }

  Result<> scrub() override { return database_.truncate_wal(); }

  Result<> check() override {
    LOAM_TRY(database_.check());
    auto lost = LOAM_TRY(
        database_.prepare("SELECT COUNT(*) FROM bodies WHERE place NOT IN (SELECT place FROM "
                          "records)"));
    static_cast<void>(LOAM_TRY(lost.step()));
    if (lost.integer(0) != 0) return damaged("a body in it belongs to no record");
    return {};
  }

  Result<std::uint64_t> size() override {
    if (size_) return *size_;
    auto row = LOAM_TRY(database_.prepare("SELECT COALESCE(MAX(place) + 1, 0) FROM records"));
    static_cast<void>(LOAM_TRY(row.step()));
    const auto size = static_cast<std::uint64_t>(row.integer(0));
    if (writing_) size_ = size;
    return size;
  }

  Result<std::vector<Bytes>> entries(std::uint64_t first, std::uint64_t count) override {
    auto rows = LOAM_TRY(database_.prepare(
        "SELECT place, bytes FROM records WHERE place >= ? ORDER BY place LIMIT ?"));
    rows.bind(0, static_cast<std::int64_t>(first)).bind(1, static_cast<std::int64_t>(count));
    std::vector<Bytes> out;
    while (LOAM_TRY(rows.step())) {
      if (static_cast<std::uint64_t>(rows.integer(0)) != first + out.size())
        return damaged(format("record {} is missing in it", first + out.size()));
      out.push_back(rows.blob(1));
    }
    return out;
  }

  Result<std::optional<StoredRecord>> find(const RecordId& id) override {
    auto rows = LOAM_TRY(database_.prepare(std::string(kSelect) + "WHERE records.id = ?"));
    rows.bind_blob(0, id.digest);
    return one(rows);
  }

  Result<std::optional<StoredRecord>> at(std::uint64_t index) override {
    auto rows = LOAM_TRY(database_.prepare(std::string(kSelect) + "WHERE place = ?"));
    rows.bind(0, static_cast<std::int64_t>(index));
    return one(rows);
  }

  Result<std::optional<SaltedBody>> body(const RecordId& id) override {
    auto row = LOAM_TRY(
        database_.prepare("SELECT salt, body FROM bodies JOIN records USING (place) WHERE id = ?"));
    row.bind_blob(0, id.digest);
    if (!LOAM_TRY(row.step())) return std::nullopt;
    return SaltedBody{LOAM_TRY(fixed<32>(row.blob(0))), row.blob(1)};
  }

  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    auto rows = LOAM_TRY(database_.prepare(
        std::string(kSelect) +
        "WHERE place IN (SELECT place FROM refs WHERE target = ?) ORDER BY place"));
    rows.bind_blob(0, id.digest);
    std::vector<StoredRecord> out;
    while (auto found = LOAM_TRY(one(rows))) out.push_back(std::move(*found));
    return out;
  }

 private:
  static constexpr std::string_view kSelect =
      "SELECT place, bytes, blocked, "
      "EXISTS (SELECT 1 FROM retracted WHERE retracted.id = records.id) FROM records ";

  std::unexpected<Error> damaged(std::string_view what) const {
    return fail(ErrorCode::kCorrupt, format("ledger database {}: {}", file_.string(), what),
                "loam ledger verify says what is damaged; the log's own files can restore it");
  }

  template <std::size_t N>
  Result<std::array<std::uint8_t, N>> fixed(const Bytes& bytes) const {
    std::array<std::uint8_t, N> out{};
    if (bytes.size() != N) return damaged("a key or hash of the wrong length");
    std::ranges::copy(bytes, out.begin());
    return out;
  }

  Result<Record> decode_stored(const Bytes& bytes) const {
    auto record = decode_record(bytes);
    if (!record) return damaged("a record in it cannot be read: " + record.error().message);
    return record;
  }

  Result<std::optional<StoredRecord>> one(store::Statement& rows) const {
    if (!LOAM_TRY(rows.step())) return std::nullopt;
    return StoredRecord{static_cast<std::uint64_t>(rows.integer(0)),
                        LOAM_TRY(decode_stored(rows.blob(1))), rows.integer(3) != 0,
                        rows.integer(2) != 0};
  }

  /// Written once at the end of the transaction: a group's records have few authors.
  void put_author(const crypto::PublicKey& key, const AuthorState& author) {
    authors_.insert_or_assign(key, author);
    changed_authors_.insert(key);
  }
  Result<> write_author(const crypto::PublicKey& key) {
    const AuthorState& author = authors_.at(key);
    auto insert = LOAM_TRY(database_.prepare(
        "INSERT OR REPLACE INTO authors (key, next_seq, ended, recovery, predecessor) "
        "VALUES (?, ?, ?, ?, ?)"));
    insert.bind_blob(0, key)
        .bind(1, static_cast<std::int64_t>(author.next_seq))
        .bind(2, std::int64_t{author.ended});
    bind_key(insert, 3, author.recovery);
    bind_key(insert, 4, author.predecessor);
    return insert.run();
  }

  Result<> erase(const RecordId& id) {
    for (const std::string_view sql :
         {"INSERT OR IGNORE INTO retracted (id) VALUES (?)",
          "DELETE FROM bodies WHERE place = (SELECT place FROM records WHERE id = ?)"}) {
      auto statement = LOAM_TRY(database_.prepare(sql));
      LOAM_TRY(statement.bind_blob(0, id.digest).run());
    }
    return {};
  }

  const env::Path file_;
  mutable store::Database database_;  // SELECTs change its statements only
  // What the database holds, or will at the end of the transaction. Kept only by the connection
  // that writes, for there is one: another sees what that one writes meanwhile.
  bool writing_ = false;
  mutable std::map<crypto::PublicKey, AuthorState> authors_;
  std::set<crypto::PublicKey> changed_authors_;
  std::optional<std::uint64_t> size_;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_sqlite_storage(const env::Path& file) {
  auto database = LOAM_TRY(store::Database::open(file, kMigrations));
  return std::make_unique<SqliteStorage>(file, std::move(database));
}

}  // namespace loam::ledger
