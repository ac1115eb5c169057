#include "commons/follow_table.h"

#include <algorithm>
#include <array>
#include <utility>

namespace loam::commons {
namespace {

constexpr std::array<std::string_view, 2> kMigrations = {R"sql(
  CREATE TABLE log (  -- one row
    url TEXT NOT NULL,
    key TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    state INTEGER NOT NULL,
    polled_ms INTEGER NOT NULL,  -- 0: never with success
    trouble TEXT NOT NULL,
    evidence TEXT NOT NULL,
    settled INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE pending (place INTEGER PRIMARY KEY, tries INTEGER NOT NULL) STRICT;
)sql",
                                                         R"sql(
  ALTER TABLE log ADD COLUMN compared INTEGER NOT NULL DEFAULT 0;
)sql"};

}  // namespace

Result<FollowTable> FollowTable::open(const env::Path& file) {
  FollowTable out(LOAM_TRY(store::Database::open(file, kMigrations)));
  static_cast<void>(LOAM_TRY(out.about()));
  return out;
}

Result<FollowTable> FollowTable::make(const env::Path& file, const std::string& url,
                                      const std::string& key, std::int64_t now_ms) {
  FollowTable out(LOAM_TRY(store::Database::open(file, kMigrations)));
  auto insert = LOAM_TRY(out.database_.prepare(
      "INSERT INTO log (url, key, added_ms, state, polled_ms, trouble, evidence, settled) "
      "VALUES (?, ?, ?, 0, 0, '', '', 0)"));
  LOAM_TRY(insert.bind(0, url).bind(1, key).bind(2, now_ms).run());
  return out;
}

Result<FollowedLog> FollowTable::about() {
  auto row = LOAM_TRY(
      database_.prepare("SELECT url, key, added_ms, state, polled_ms, trouble, evidence FROM log"));
  if (!LOAM_TRY(row.step()))
    return fail(ErrorCode::kNotFound, "a followed log: its file names none");
  FollowedLog out;
  out.url = row.text(0);
  out.key = row.text(1);
  out.added_ms = row.integer(2);
  out.state = static_cast<FollowState>(std::clamp<std::int64_t>(row.integer(3), 0, 3));
  out.polled_ms = row.integer(4);
  out.trouble = row.text(5);
  out.evidence = row.text(6);
  return out;
}

Result<> FollowTable::set_polled(FollowState state, const std::string& trouble,
                                 const std::string& evidence, std::int64_t now_ms) {
  auto update = LOAM_TRY(database_.prepare(
      "UPDATE log SET state = ?1, trouble = ?2, evidence = iif(?3 = '', evidence, ?3), "
      "polled_ms = iif(?1 = ?5, ?4, polled_ms)"));
  update.bind(0, std::int64_t{std::to_underlying(state)}).bind(1, trouble).bind(2, evidence);
  return update.bind(3, now_ms)
      .bind(4, std::int64_t{std::to_underlying(FollowState::kFollowed)})
      .run();
}

Result<std::uint64_t> FollowTable::settled() {
  auto row = LOAM_TRY(database_.prepare("SELECT settled FROM log"));
  static_cast<void>(LOAM_TRY(row.step()));
  return static_cast<std::uint64_t>(row.integer(0));
}

Result<> FollowTable::settle(std::uint64_t records, const std::vector<std::uint64_t>& pending) {
  return database_.transaction([&]() -> Result<> {
    auto insert = LOAM_TRY(database_.prepare("INSERT OR IGNORE INTO pending VALUES (?, 1)"));
    for (const std::uint64_t index : pending)
      LOAM_TRY(insert.bind(0, static_cast<std::int64_t>(index)).run());
    auto update = LOAM_TRY(database_.prepare("UPDATE log SET settled = ?"));
    return update.bind(0, static_cast<std::int64_t>(records)).run();
  });
}

Result<std::vector<PendingBody>> FollowTable::pending(std::size_t bodies_max) {
  auto rows =
      LOAM_TRY(database_.prepare("SELECT place, tries FROM pending ORDER BY tries, place LIMIT ?"));
  rows.bind(0, static_cast<std::int64_t>(bodies_max));
  std::vector<PendingBody> out;
  while (LOAM_TRY(rows.step()))
    out.push_back({static_cast<std::uint64_t>(rows.integer(0)), rows.integer(1)});
  return out;
}

Result<std::uint64_t> FollowTable::compared() {
  auto row = LOAM_TRY(database_.prepare("SELECT compared FROM log"));
  static_cast<void>(LOAM_TRY(row.step()));
  return static_cast<std::uint64_t>(row.integer(0));
}

Result<> FollowTable::set_compared(std::uint64_t records) {
  auto update = LOAM_TRY(database_.prepare("UPDATE log SET compared = ?"));
  return update.bind(0, static_cast<std::int64_t>(records)).run();
}

Result<> FollowTable::drop_pending(std::uint64_t index) {
  auto remove = LOAM_TRY(database_.prepare("DELETE FROM pending WHERE place = ?"));
  return remove.bind(0, static_cast<std::int64_t>(index)).run();
}

Result<> FollowTable::count_try(std::uint64_t index) {
  auto update = LOAM_TRY(database_.prepare("UPDATE pending SET tries = tries + 1 WHERE place = ?"));
  return update.bind(0, static_cast<std::int64_t>(index)).run();
}

}  // namespace loam::commons
