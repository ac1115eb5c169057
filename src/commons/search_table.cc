#include "commons/search_table.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>
#include <variant>

namespace loam::commons {
namespace {

// `words` holds the text itself besides the index, so that a snippet needs no other file. What a
// search filters by stands apart from it, in rows that are short.
constexpr std::array<std::string_view, 1> kMigrations = {R"sql(
  CREATE TABLE logs (
    log INTEGER PRIMARY KEY,
    origin TEXT NOT NULL UNIQUE,
    next INTEGER NOT NULL  -- index of the first record that was not read yet
  ) STRICT;
  CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'unicode61 remove_diacritics 2');
  CREATE TABLE docs (
    doc INTEGER PRIMARY KEY,  -- rowid of words
    id BLOB NOT NULL UNIQUE,
    log INTEGER NOT NULL REFERENCES logs (log),
    place INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    author BLOB NOT NULL,
    time_s INTEGER NOT NULL,
    language TEXT NOT NULL,
    hidden INTEGER NOT NULL,
    up INTEGER NOT NULL,
    down INTEGER NOT NULL,
    licence TEXT NOT NULL,
    model TEXT NOT NULL,
    edits BLOB
  ) STRICT;
  CREATE INDEX docs_time ON docs (time_s);
  CREATE INDEX docs_author ON docs (author, time_s);
  CREATE INDEX docs_language ON docs (language, time_s);
  CREATE TABLE models (  -- names and hashes
    model TEXT NOT NULL,
    doc INTEGER NOT NULL REFERENCES docs (doc) ON DELETE CASCADE,
    PRIMARY KEY (model, doc)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX models_doc ON models (doc);
  CREATE TABLE votes (
    id BLOB PRIMARY KEY,
    log INTEGER NOT NULL REFERENCES logs (log),
    target BLOB NOT NULL,
    author BLOB NOT NULL,
    seq INTEGER NOT NULL,
    vote INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX votes_target ON votes (target, author, seq);
  CREATE TABLE withdrawn (  -- in some log, by this author
    id BLOB NOT NULL,
    author BLOB NOT NULL,
    PRIMARY KEY (id, author)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE hidden (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql"};

/// Around a hit in a snippet; no text in the index holds them.
constexpr char kHitBegin = '\x02', kHitEnd = '\x03';

/// All messages, without control characters: they separate words like a space.
std::string text_of(const ledger::Conversation& conversation) {
  std::string out;
  for (const ledger::Message& message : conversation.messages) {
    if (!out.empty()) out += '\n';
    out += message.content;
  }
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'; },
      ' ');
  return out;
}

std::vector<SnippetPiece> pieces_of(std::string_view marked) {
  std::vector<SnippetPiece> out;
  bool hit = false;
  while (!marked.empty()) {
    const std::size_t end = std::min(marked.find(hit ? kHitEnd : kHitBegin), marked.size());
    if (end > 0) out.push_back({std::string(marked.substr(0, end)), hit});
    marked.remove_prefix(std::min(end + 1, marked.size()));
    hit = !hit;
  }
  return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> fixed(const Bytes& bytes) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), out.begin());
  return out;
}

}  // namespace

Result<SearchTable> SearchTable::open(const env::Path& file) {
  return SearchTable(LOAM_TRY(store::Database::open(file, kMigrations)));
}

Result<> SearchTable::transaction(const std::function<Result<>()>& body) {
  voted_.clear();
  return database_.transaction([&]() -> Result<> {
    LOAM_TRY(body());
    return count_votes();
  });
}

Result<SearchTable::Place> SearchTable::place(const std::string& origin) {
  auto insert =
      LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO logs (origin, next) VALUES (?, 0)"));
  LOAM_TRY(insert.bind(0, origin).run());
  auto row = LOAM_TRY(database_.prepare("SELECT log, next FROM logs WHERE origin = ?"));
  static_cast<void>(LOAM_TRY(row.bind(0, origin).step()));
  return Place{row.integer(0), static_cast<std::uint64_t>(row.integer(1))};
}

Result<std::vector<std::string>> SearchTable::origins() {
  auto rows = LOAM_TRY(database_.prepare("SELECT origin FROM logs"));
  std::vector<std::string> out;
  while (LOAM_TRY(rows.step())) out.push_back(rows.text(0));
  return out;
}

Result<> SearchTable::set_next(std::int64_t log, std::uint64_t next) {
  auto update = LOAM_TRY(database_.prepare("UPDATE logs SET next = ? WHERE log = ?"));
  return update.bind(0, static_cast<std::int64_t>(next)).bind(1, log).run();
}

Result<> SearchTable::remove_log(std::int64_t log) {
  {  // what it voted on may be in other logs
    auto rows = LOAM_TRY(database_.prepare("SELECT DISTINCT target FROM votes WHERE log = ?"));
    rows.bind(0, log);
    while (LOAM_TRY(rows.step())) voted_.insert(fixed<32>(rows.blob(0)));
  }
  for (const std::string_view sql :
       {"DELETE FROM words WHERE rowid IN (SELECT doc FROM docs WHERE log = ?)",
        "DELETE FROM docs WHERE log = ?", "DELETE FROM votes WHERE log = ?",
        "DELETE FROM logs WHERE log = ?"}) {
    auto statement = LOAM_TRY(database_.prepare(sql));
    LOAM_TRY(statement.bind(0, log).run());
  }
  return {};
}

Result<> SearchTable::add(std::int64_t log, const ledger::StoredRecord& stored,
                          const ledger::Conversation& conversation) {
  const ledger::Header& header = stored.record.header;
  const crypto::Digest& id = stored.record.id.digest;
  {
    auto row = LOAM_TRY(database_.prepare("SELECT 1 FROM withdrawn WHERE id = ? AND author = ?"));
    if (LOAM_TRY(row.bind_blob(0, id).bind_blob(1, header.author).step())) return {};
  }
  auto doc = LOAM_TRY(database_.prepare(
      "INSERT INTO docs (id, log, place, kind, author, time_s, language, hidden, up, down, "
      "licence, model, edits) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
      "?8 OR EXISTS (SELECT 1 FROM hidden WHERE hidden.id = ?1), 0, 0, ?9, ?10, ?11) "
      "RETURNING doc"));
  doc.bind_blob(0, id).bind(1, log).bind(2, static_cast<std::int64_t>(stored.index));
  doc.bind(3, std::int64_t{std::to_underlying(header.kind)}).bind_blob(4, header.author);
  doc.bind(5, header.time_s).bind(6, conversation.language).bind(7, std::int64_t{stored.blocked});
  doc.bind(8, header.licence).bind(9, conversation.model_name);
  if (header.refs.empty())
    doc.bind_null(10);
  else
    doc.bind_blob(10, header.refs.front().digest);
  static_cast<void>(LOAM_TRY(doc.step()));
  const std::int64_t number = doc.integer(0);
  static_cast<void>(LOAM_TRY(doc.step()));  // ends it
  auto words = LOAM_TRY(database_.prepare("INSERT INTO words (rowid, text) VALUES (?, ?)"));
  LOAM_TRY(words.bind(0, number).bind(1, text_of(conversation)).run());
  auto model = LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO models VALUES (?, ?)"));
  LOAM_TRY(model.bind(0, conversation.model_name).bind(1, number).run());
  for (const crypto::Digest& hash : header.models)
    LOAM_TRY(model.bind(0, crypto::digest_hex(hash)).bind(1, number).run());
  voted_.insert(id);
  return {};
}

Result<> SearchTable::add_vote(std::int64_t log, const ledger::Record& vote) {
  const ledger::Header& header = vote.header;
  const crypto::Digest& target = header.refs.front().digest;
  auto insert =
      LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO votes (id, log, target, author, seq, vote) "
                                 "VALUES (?, ?, ?, ?, ?, ?)"));
  insert.bind_blob(0, vote.id.digest).bind(1, log).bind_blob(2, target);
  insert.bind_blob(3, header.author).bind(4, static_cast<std::int64_t>(header.seq));
  const ledger::Vote value = LOAM_TRY(ledger::decode_vote(header.payload));
  LOAM_TRY(insert.bind(5, std::int64_t{std::to_underlying(value)}).run());
  voted_.insert(target);
  return {};
}

/// Sums the newest vote of each author.
Result<> SearchTable::count_votes() {
  // With max() SQLite takes the other columns of a group from the row that has it.
  auto update = LOAM_TRY(database_.prepare(
      "UPDATE docs SET (up, down) = (SELECT COALESCE(SUM(vote = 1), 0), COALESCE(SUM(vote = -1), 0)"
      " FROM (SELECT vote, max(seq) FROM votes WHERE target = ?1 GROUP BY author)) WHERE id = ?1"));
  for (const crypto::Digest& target : voted_) LOAM_TRY(update.bind_blob(0, target).run());
  return {};
}

Result<bool> SearchTable::withdraw(std::int64_t log, const ledger::Record& retraction) {
  const crypto::Digest& target = retraction.header.refs.front().digest;
  const crypto::PublicKey& author = retraction.header.author;
  auto insert =
      LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO withdrawn (id, author) VALUES (?, ?)"));
  LOAM_TRY(insert.bind_blob(0, target).bind_blob(1, author).run());
  // What stands in the same log was judged by that log's rules.
  auto known = LOAM_TRY(
      database_.prepare("SELECT EXISTS (SELECT 1 FROM docs WHERE id = ?1 AND (log = ?2 OR author = "
                        "?3)) OR EXISTS (SELECT 1 FROM votes WHERE id = ?1 AND (log = ?2 OR author "
                        "= ?3))"));
  known.bind_blob(0, target).bind(1, log).bind_blob(2, author);
  if (!LOAM_TRY(known.step()) || known.integer(0) == 0) return false;
  LOAM_TRY(remove(ledger::RecordId{target}));
  return true;
}

Result<> SearchTable::remove(const ledger::RecordId& id) {
  std::optional<std::int64_t> doc;
  {
    auto row = LOAM_TRY(database_.prepare("SELECT doc FROM docs WHERE id = ?"));
    if (LOAM_TRY(row.bind_blob(0, id.digest).step())) doc = row.integer(0);
    auto vote = LOAM_TRY(database_.prepare("DELETE FROM votes WHERE id = ? RETURNING target"));
    if (LOAM_TRY(vote.bind_blob(0, id.digest).step())) voted_.insert(fixed<32>(vote.blob(0)));
  }
  return doc ? remove_doc(*doc) : Result<>();
}

Result<> SearchTable::remove_doc(std::int64_t doc) {
  for (const std::string_view sql :
       {"DELETE FROM words WHERE rowid = ?", "DELETE FROM docs WHERE doc = ?"}) {
    auto statement = LOAM_TRY(database_.prepare(sql));
    LOAM_TRY(statement.bind(0, doc).run());
  }
  return {};
}

Result<> SearchTable::set_hidden(const ledger::RecordId& id, bool hidden) {
  auto mark = LOAM_TRY(database_.prepare(hidden ? "INSERT OR IGNORE INTO hidden VALUES (?)"
                                                : "DELETE FROM hidden WHERE id = ?"));
  LOAM_TRY(mark.bind_blob(0, id.digest).run());
  auto update = LOAM_TRY(database_.prepare("UPDATE docs SET hidden = ? WHERE id = ?"));
  return update.bind(0, std::int64_t{hidden}).bind_blob(1, id.digest).run();
}

Result<bool> SearchTable::is_hidden(const ledger::RecordId& id) {
  auto row = LOAM_TRY(database_.prepare("SELECT 1 FROM hidden WHERE id = ?"));
  row.bind_blob(0, id.digest);
  return row.step();
}

Result<> SearchTable::drop_removed_words() {
  return database_.execute("INSERT INTO words (words) VALUES ('optimize')");
}

namespace {

/// The conditions of a query, with the values that they wait for.
class Conditions {
 public:
  explicit Conditions(const SearchQuery& query) {
    if (!query.model.empty())
      add("EXISTS (SELECT 1 FROM models WHERE models.model = ? AND models.doc = docs.doc)",
          {query.model});
    if (!query.language.empty())  // it, or what begins with it and "-": '.' comes behind '-'
      add("(language = ? OR (language >= ? AND language < ?))",
          {query.language, query.language + "-", query.language + "."});
    if (!query.log.empty())
      add("docs.log = (SELECT logs.log FROM logs WHERE origin = ?)", {query.log});
    if (query.author) add("author = ?", {Bytes(query.author->begin(), query.author->end())});
    if (query.kind) add("kind = ?", {std::int64_t{std::to_underlying(*query.kind)}});
    if (query.since_s) add("time_s >= ?", {*query.since_s});
    if (query.until_s) add("time_s < ?", {*query.until_s});
    if (query.rating)
      sql_ += *query.rating == Rating::kUp     ? " AND up > down"
              : *query.rating == Rating::kDown ? " AND up < down"
                                               : " AND up = down";
  }
  const std::string& sql() const { return sql_; }
  /// Binds all of them from `index` on. @return the first that is free.
  int bind(store::Statement& statement, int index) const {
    for (const auto& value : values_) {
      if (const auto* number = std::get_if<std::int64_t>(&value))
        statement.bind(index, *number);
      else if (const auto* text = std::get_if<std::string>(&value))
        statement.bind(index, *text);
      else
        statement.bind_blob(index, std::get<Bytes>(value));
      ++index;
    }
    return index;
  }

 private:
  using Bound = std::variant<std::int64_t, std::string, Bytes>;
  void add(std::string_view sql, std::initializer_list<Bound> values) {
    sql_ += " AND ";
    sql_ += sql;
    values_.insert(values_.end(), values);
  }
  std::string sql_;
  std::vector<Bound> values_;
};

constexpr std::string_view kColumns =
    "docs.id, (SELECT origin FROM logs WHERE logs.log = docs.log), place, kind, author, time_s, "
    "language, model, licence, edits, up, down";

SearchHit hit_of(const store::Statement& row) {
  SearchHit out;
  out.id.digest = fixed<32>(row.blob(0));
  out.log = row.text(1);
  out.index = static_cast<std::uint64_t>(row.integer(2));
  out.kind = row.integer(3) == std::to_underlying(ledger::Kind::kEdit) ? ledger::Kind::kEdit
                                                                       : ledger::Kind::kData;
  out.author = fixed<32>(row.blob(4));
  out.time_s = row.integer(5);
  out.language = row.text(6);
  out.model = row.text(7);
  out.licence = row.text(8);
  if (!row.is_null(9)) out.edits = ledger::RecordId{fixed<32>(row.blob(9))};
  out.votes_up = row.integer(10);
  out.votes_down = row.integer(11);
  out.snippet = pieces_of(row.text(12));
  out.score = 0 - row.real(13);  // FTS5's is the smaller the better
  return out;
}

}  // namespace

Result<SearchPage> SearchTable::search(const SearchQuery& query, const std::string& words) {
  const Conditions conditions(query);
  // With ORDER BY rank alone FTS5 sorts by itself, and makes snippets of what is shown only.
  const std::string sql =
      words.empty()
          ? "SELECT " + std::string(kColumns) +
                ", substr(text, 1, 160) || iif(length(text) > 160, '…', ''), 0.0 FROM docs CROSS "
                "JOIN words ON words.rowid = docs.doc "
                "WHERE hidden = 0" +
                conditions.sql() + " ORDER BY time_s DESC, docs.doc DESC LIMIT ? OFFSET ?"
          : "SELECT " + std::string(kColumns) +
                ", snippet(words, 0, char(2), char(3), '…', 24), rank FROM words "
                "CROSS JOIN docs ON docs.doc = words.rowid WHERE words MATCH ? AND hidden = 0" +
                conditions.sql() + " ORDER BY rank LIMIT ? OFFSET ?";
  auto rows = LOAM_TRY(database_.prepare(sql));
  int next = 0;
  if (!words.empty()) rows.bind(next++, words);
  next = conditions.bind(rows, next);
  rows.bind(next, static_cast<std::int64_t>(query.hits_max) + 1);
  rows.bind(next + 1, static_cast<std::int64_t>(query.offset));
  SearchPage out;
  while (LOAM_TRY(rows.step())) {
    if (out.hits.size() == query.hits_max)
      out.more = true;
    else
      out.hits.push_back(hit_of(rows));
  }
  return out;
}

}  // namespace loam::commons
