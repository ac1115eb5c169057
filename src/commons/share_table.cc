#include "commons/share_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/parse.h"

namespace loam::commons {
namespace {

constexpr std::array<std::string_view, 3> kMigrations = {R"sql(
  CREATE TABLE submissions (
    id TEXT PRIMARY KEY,
    state INTEGER NOT NULL,
    answer TEXT NOT NULL,
    licence TEXT NOT NULL,
    scope INTEGER NOT NULL,
    masked INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,  -- when it is, or was, published
    record BLOB,
    -- Only while it is queued:
    models BLOB,
    salt BLOB,
    body BLOB
  ) STRICT;
  CREATE INDEX submissions_at ON submissions (state, at_ms);
  CREATE INDEX submissions_record ON submissions (record);
)sql",
                                                         R"sql(
  CREATE TABLE standing_consent (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    licences TEXT NOT NULL,  -- with spaces between
    scope INTEGER NOT NULL,
    given_ms INTEGER NOT NULL,
    words BLOB NOT NULL  -- SHA-256 of what was agreed to
  ) STRICT;
)sql",
                                                         R"sql(
  ALTER TABLE submissions ADD COLUMN caller TEXT NOT NULL DEFAULT 'owner';
  ALTER TABLE submissions ADD COLUMN edits BLOB;
)sql"};

constexpr std::int64_t kTrain = 1, kEval = 2;
constexpr std::string_view kColumns =
    "SELECT id, state, answer, licence, scope, masked, made_ms, at_ms, record, caller, edits "
    "FROM submissions ";

template <std::size_t N>
std::array<std::uint8_t, N> fixed(ByteView bytes) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), out.begin());
  return out;
}

std::int64_t scope_bits(const ledger::Scope& scope) {
  return (scope.train ? kTrain : 0) | (scope.eval ? kEval : 0);
}

ledger::Scope scope_of(std::int64_t bits) {
  return {.train = (bits & kTrain) != 0, .eval = (bits & kEval) != 0};
}

Submission submission_of(const store::Statement& row) {
  Submission out;
  out.id = row.text(0);
  out.state = static_cast<ShareState>(std::clamp<std::int64_t>(row.integer(1), 0, 2));
  out.answer = row.text(2);
  out.licence = row.text(3);
  out.scope = scope_of(row.integer(4));
  out.masked = static_cast<std::uint32_t>(row.integer(5));
  out.made_ms = row.integer(6);
  out.publishes_ms = row.integer(7);
  if (!row.is_null(8)) out.record = ledger::RecordId{fixed<32>(row.blob(8))};
  out.caller = row.text(9);
  if (!row.is_null(10)) out.edits = ledger::RecordId{fixed<32>(row.blob(10))};
  return out;
}

}  // namespace

Result<ShareTable> ShareTable::open(const env::Path& file) {
  ShareTable out(LOAM_TRY(store::Database::open(file, kMigrations)));
  // That another program reads is no reason not to start: the sharing's thread tries again.
  if (auto done = out.scrub(); !done && done.error().code != ErrorCode::kUnavailable)
    return std::unexpected(std::move(done.error()));
  return out;
}

Result<> ShareTable::scrub() {
  if (!unscrubbed_) return {};
  LOAM_TRY(database_.truncate_wal());
  unscrubbed_ = false;
  return {};
}

Result<> ShareTable::scrub_removed() {
  unscrubbed_ = true;
  return scrub();
}

Result<> ShareTable::add(const Queued& queued) {
  const Submission& s = queued.submission;
  Bytes models;
  for (const crypto::Digest& model : queued.models)
    models.insert(models.end(), model.begin(), model.end());
  auto insert = LOAM_TRY(database_.prepare(
      "INSERT INTO submissions (id, state, answer, licence, scope, masked, made_ms, at_ms, models, "
      "salt, body, caller, edits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(0, s.id).bind(1, std::int64_t{std::to_underlying(s.state)}).bind(2, s.answer);
  insert.bind(3, s.licence).bind(4, scope_bits(s.scope));
  insert.bind(5, std::int64_t{s.masked}).bind(6, s.made_ms).bind(7, s.publishes_ms);
  insert.bind_blob(8, models).bind_blob(9, queued.body.salt).bind_blob(10, queued.body.body);
  insert.bind(11, s.caller);
  if (s.edits) insert.bind_blob(12, s.edits->digest);
  return insert.run();
}

Result<> ShareTable::remove(const std::string& id) {
  auto statement = LOAM_TRY(database_.prepare("DELETE FROM submissions WHERE id = ?"));
  LOAM_TRY(statement.bind(0, id).run());
  return scrub_removed();
}

Result<> ShareTable::set_published(const std::string& id, const ledger::RecordId& record,
                                   std::int64_t at_ms) {
  auto update = LOAM_TRY(database_.prepare(
      "UPDATE submissions SET state = ?, record = ?, at_ms = ?, models = NULL, salt = NULL, "
      "body = NULL WHERE id = ?"));
  update.bind(0, std::int64_t{std::to_underlying(ShareState::kPublished)});
  LOAM_TRY(update.bind_blob(1, record.digest).bind(2, at_ms).bind(3, id).run());
  return scrub_removed();
}

Result<> ShareTable::set_due(const std::string& id, std::int64_t due_ms) {
  auto update = LOAM_TRY(database_.prepare("UPDATE submissions SET at_ms = ? WHERE id = ?"));
  return update.bind(0, due_ms).bind(1, id).run();
}

Result<> ShareTable::set_retracted(const ledger::RecordId& record) {
  auto update = LOAM_TRY(database_.prepare("UPDATE submissions SET state = ? WHERE record = ?"));
  update.bind(0, std::int64_t{std::to_underlying(ShareState::kRetracted)});
  return update.bind_blob(1, record.digest).run();
}

Result<std::vector<ledger::RecordId>> ShareTable::published() {
  auto rows =
      LOAM_TRY(database_.prepare("SELECT record FROM submissions WHERE state = ? AND record IS NOT "
                                 "NULL ORDER BY at_ms, rowid"));
  rows.bind(0, std::int64_t{std::to_underlying(ShareState::kPublished)});
  std::vector<ledger::RecordId> out;
  while (LOAM_TRY(rows.step())) out.push_back({fixed<32>(rows.blob(0))});
  return out;
}

Result<> ShareTable::remove_queued(const ledger::RecordId& record, const std::string& answer) {
  auto statement = LOAM_TRY(database_.prepare(
      "DELETE FROM submissions WHERE state = ? AND (edits = ? OR (answer = ? AND answer != ''))"));
  statement.bind(0, std::int64_t{std::to_underlying(ShareState::kQueued)});
  LOAM_TRY(statement.bind_blob(1, record.digest).bind(2, answer).run());
  return database_.changes() > 0 ? scrub_removed() : scrub();
}

Result<std::optional<Submission>> ShareTable::find(const std::string& id) {
  auto row = LOAM_TRY(database_.prepare(std::string(kColumns) + "WHERE id = ?"));
  row.bind(0, id);
  if (!LOAM_TRY(row.step())) return std::nullopt;
  return submission_of(row);
}

Result<std::optional<Submission>> ShareTable::of_record(const ledger::RecordId& record) {
  auto row = LOAM_TRY(database_.prepare(std::string(kColumns) + "WHERE record = ?"));
  row.bind_blob(0, record.digest);
  if (!LOAM_TRY(row.step())) return std::nullopt;
  return submission_of(row);
}

Result<std::vector<Submission>> ShareTable::list(std::size_t submissions_max,
                                                 std::string_view caller) {
  auto rows = LOAM_TRY(database_.prepare(
      std::string(kColumns) + "WHERE ?1 = '' OR caller = ?1 ORDER BY made_ms DESC, id LIMIT ?2"));
  rows.bind(0, caller).bind(1, static_cast<std::int64_t>(submissions_max));
  std::vector<Submission> out;
  while (LOAM_TRY(rows.step())) out.push_back(submission_of(rows));
  return out;
}

Result<std::optional<Queued>> ShareTable::queued(const std::string& id) {
  Queued out;
  const auto submission = LOAM_TRY(find(id));
  if (!submission || submission->state != ShareState::kQueued) return std::nullopt;
  out.submission = *submission;
  auto row = LOAM_TRY(database_.prepare("SELECT models, salt, body FROM submissions WHERE id = ?"));
  row.bind(0, id);
  if (!LOAM_TRY(row.step())) return std::nullopt;
  const Bytes models = row.blob(0);
  for (std::size_t at = 0; at + 32 <= models.size(); at += 32)
    out.models.push_back(fixed<32>(ByteView(models).subspan(at)));
  out.body.salt = fixed<32>(row.blob(1));
  out.body.body = row.blob(2);
  return out;
}

Result<std::vector<std::string>> ShareTable::due(std::int64_t now_ms) {
  auto rows = LOAM_TRY(database_.prepare(
      "SELECT id FROM submissions WHERE state = ? AND at_ms <= ? ORDER BY at_ms, rowid"));
  rows.bind(0, std::int64_t{std::to_underlying(ShareState::kQueued)}).bind(1, now_ms);
  std::vector<std::string> out;
  while (LOAM_TRY(rows.step())) out.push_back(rows.text(0));
  return out;
}

Result<std::optional<std::pair<StandingConsent, crypto::Digest>>> ShareTable::standing() {
  auto row =
      LOAM_TRY(database_.prepare("SELECT licences, scope, given_ms, words FROM standing_consent"));
  if (!LOAM_TRY(row.step())) return std::nullopt;
  StandingConsent consent;
  const std::string licences = row.text(0);
  for (const std::string_view licence : split(licences, ' '))
    consent.licences.emplace_back(licence);
  consent.scope = scope_of(row.integer(1));
  consent.given_ms = row.integer(2);
  return std::pair(std::move(consent), fixed<32>(row.blob(3)));
}

Result<> ShareTable::set_standing(const StandingConsent& consent, const crypto::Digest& words) {
  std::string licences;
  for (const std::string& licence : consent.licences)
    licences += (licences.empty() ? "" : " ") + licence;
  auto insert = LOAM_TRY(database_.prepare(
      "INSERT OR REPLACE INTO standing_consent (only, licences, scope, given_ms, words) "
      "VALUES (1, ?, ?, ?, ?)"));
  insert.bind(0, licences).bind(1, scope_bits(consent.scope)).bind(2, consent.given_ms);
  return insert.bind_blob(3, words).run();
}

Result<> ShareTable::remove_standing() { return database_.execute("DELETE FROM standing_consent"); }

Result<std::optional<std::int64_t>> ShareTable::next_due() {
  auto row = LOAM_TRY(database_.prepare("SELECT MIN(at_ms) FROM submissions WHERE state = ?"));
  row.bind(0, std::int64_t{std::to_underlying(ShareState::kQueued)});
  if (!LOAM_TRY(row.step()) || row.is_null(0)) return std::nullopt;
  return row.integer(0);
}

}  // namespace loam::commons
