#include "catalog/model_table.h"

#include <algorithm>
#include <array>

#include "base/format.h"

namespace loam::catalog {
namespace {

// A file's content and what is known of it stand once, however many names it has.
constexpr std::array<std::string_view, 2> kMigrations = {R"(
  CREATE TABLE model_file (
    file TEXT PRIMARY KEY,
    sha256 BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    linked INTEGER NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    display_name TEXT NOT NULL,
    quantisation TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    context INTEGER NOT NULL,
    embedding_width INTEGER NOT NULL,
    layers INTEGER NOT NULL,
    licence TEXT NOT NULL,
    chat_template TEXT NOT NULL,
    kv_bytes_per_token INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE model (
    name TEXT PRIMARY KEY,
    file TEXT NOT NULL REFERENCES model_file(file),
    source TEXT NOT NULL,
    licence TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT;)",
                                                         R"(
  ALTER TABLE model ADD COLUMN adapter TEXT REFERENCES model_file(file);)"};

constexpr std::string_view kColumns =
    "SELECT m.name, f.sha256, f.bytes, m.file, m.source, m.licence, m.added_ms, m.used_ms, "
    "f.architecture, f.display_name, f.quantisation, f.parameters, f.context, f.embedding_width, "
    "f.layers, f.licence, f.chat_template, f.kv_bytes_per_token, a.file, a.sha256, a.bytes "
    "FROM model m JOIN model_file f ON f.file = m.file "
    "LEFT JOIN model_file a ON a.file = m.adapter ";

// SQLite has no unsigned integers: the same 64 bits are kept as signed ones.
std::int64_t to_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t to_unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::uint32_t to_count(std::int64_t value) { return static_cast<std::uint32_t>(value); }

Result<crypto::Digest> digest_of(const std::string& model, const Bytes& bytes) {
  crypto::Digest out{};
  if (bytes.size() != out.size())
    return fail(ErrorCode::kCorrupt, format("model {}: its row is damaged", model),
                format("loam rm {}, then pull it again", model));
  std::ranges::copy(bytes, out.begin());
  return out;
}

}  // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

std::string ModelTable::to_stored(const env::Path& file) const {
  return file.parent_path() == folder_ ? file.filename().string() : file.string();
}

Result<Model> ModelTable::model_of(const store::Statement& row) const {
  Model model;
  model.name = row.text(0);
  model.sha256 = LOAM_TRY(digest_of(model.name, row.blob(1)));
  model.bytes = to_unsigned(row.integer(2));
  model.file = to_path(row.text(3));
  model.source = row.text(4);
  model.licence = row.text(5);
  model.added_ms = row.integer(6);
  model.used_ms = row.integer(7);
  model.facts.architecture = row.text(8);
  model.facts.display_name = row.text(9);
  model.facts.quantisation = row.text(10);
  model.facts.parameters = to_unsigned(row.integer(11));
  model.facts.context = to_count(row.integer(12));
  model.facts.embedding_width = to_count(row.integer(13));
  model.facts.layers = to_count(row.integer(14));
  model.facts.licence = row.text(15);
  model.facts.chat_template = row.text(16);
  model.facts.kv_bytes_per_token = to_unsigned(row.integer(17));
  if (!row.is_null(18))
    model.adapter = AdapterFile{LOAM_TRY(digest_of(model.name, row.blob(19))),
                                to_unsigned(row.integer(20)), to_path(row.text(18))};
  return model;
}

Result<std::vector<Model>> ModelTable::list() {
  auto rows = LOAM_TRY(database_.prepare(std::string(kColumns) + "ORDER BY m.name"));
  std::vector<Model> models;
  while (LOAM_TRY(rows.step())) models.push_back(LOAM_TRY(model_of(rows)));
  return models;
}

Result<std::optional<Model>> ModelTable::find(std::string_view name) {
  auto row = LOAM_TRY(database_.prepare(std::string(kColumns) + "WHERE m.name = ?"));
  row.bind(0, name);
  if (!LOAM_TRY(row.step())) return std::optional<Model>();
  return std::optional<Model>(LOAM_TRY(model_of(row)));
}

Result<> ModelTable::write_file(const Model& model, Placing placing, const env::FileStamp& stamp) {
  auto insert = LOAM_TRY(database_.prepare(
      "INSERT INTO model_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (file) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes, "
      "linked = excluded.linked, device = excluded.device, inode = excluded.inode, "
      "mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, "
      "architecture = excluded.architecture, display_name = excluded.display_name, "
      "quantisation = excluded.quantisation, parameters = excluded.parameters, "
      "context = excluded.context, embedding_width = excluded.embedding_width, "
      "layers = excluded.layers, licence = excluded.licence, "
      "chat_template = excluded.chat_template, kv_bytes_per_token = excluded.kv_bytes_per_token"));
  const ModelFacts& facts = model.facts;
  return insert.bind(0, to_stored(model.file))
      .bind_blob(1, model.sha256)
      .bind(2, to_signed(stamp.size))
      .bind(3, std::int64_t{placing == Placing::kStay ? 1 : 0})
      .bind(4, to_signed(stamp.device))
      .bind(5, to_signed(stamp.inode))
      .bind(6, stamp.mtime_ns)
      .bind(7, stamp.ctime_ns)
      .bind(8, facts.architecture)
      .bind(9, facts.display_name)
      .bind(10, facts.quantisation)
      .bind(11, to_signed(facts.parameters))
      .bind(12, std::int64_t{facts.context})
      .bind(13, std::int64_t{facts.embedding_width})
      .bind(14, std::int64_t{facts.layers})
      .bind(15, facts.licence)
      .bind(16, facts.chat_template)
      .bind(17, to_signed(facts.kv_bytes_per_token))
      .run();
}

Result<> ModelTable::write_name(const Model& model) {
  auto insert = LOAM_TRY(database_.prepare(
      "INSERT INTO model VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
      "file = excluded.file, source = excluded.source, licence = excluded.licence, "
      "added_ms = excluded.added_ms, used_ms = excluded.used_ms, adapter = excluded.adapter"));
  if (model.adapter)
    insert.bind(6, to_stored(model.adapter->file));
  else
    insert.bind_null(6);
  return insert.bind(0, model.name)
      .bind(1, to_stored(model.file))
      .bind(2, model.source)
      .bind(3, model.licence)
      .bind(4, model.added_ms)
      .bind(5, model.used_ms)
      .run();
}

Result<std::vector<env::Path>> ModelTable::drop_unneeded_files() {
  constexpr std::string_view kUnneeded =
      " WHERE file NOT IN (SELECT file FROM model) AND file NOT IN (SELECT adapter FROM model "
      "WHERE adapter IS NOT NULL)";
  std::vector<env::Path> ours;
  {
    auto rows =
        LOAM_TRY(database_.prepare(format("SELECT file, linked FROM model_file{}", kUnneeded)));
    while (LOAM_TRY(rows.step()))
      if (rows.integer(1) == 0) ours.push_back(to_path(rows.text(0)));
  }
  LOAM_TRY(database_.execute(format("DELETE FROM model_file{}", kUnneeded)));
  return ours;
}

Result<std::vector<env::Path>> ModelTable::change(const std::function<Result<>()>& body) {
  std::vector<env::Path> unneeded;
  const Result<> done = database_.transaction([&]() -> Result<> {
    LOAM_TRY(body());
    unneeded = LOAM_TRY(drop_unneeded_files());
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return unneeded;
}

Result<std::vector<env::Path>> ModelTable::put(const Model& model, Placing placing,
                                               const env::FileStamp& stamp) {
  return change([&] {
    auto done = write_file(model, placing, stamp);
    return done ? write_name(model) : done;
  });
}

Result<std::vector<env::Path>> ModelTable::put_adapted(const Model& model, const Model& adapter,
                                                       const env::FileStamp& stamp) {
  return change([&] {
    auto done = write_file(adapter, Placing::kCopy, stamp);
    return done ? write_name(model) : done;
  });
}

Result<std::vector<env::Path>> ModelTable::put_name(const Model& model) {
  return change([&] { return write_name(model); });
}

Result<std::vector<env::Path>> ModelTable::remove(std::string_view name) {
  return change([&]() -> Result<> {
    auto statement = LOAM_TRY(database_.prepare("DELETE FROM model WHERE name = ?"));
    return statement.bind(0, name).run();
  });
}

Result<> ModelTable::set_used(std::string_view name, std::int64_t used_ms) {
  auto update = LOAM_TRY(database_.prepare("UPDATE model SET used_ms = ? WHERE name = ?"));
  return update.bind(0, used_ms).bind(1, name).run();
}

Result<std::optional<env::FileStamp>> ModelTable::stamp_of(const env::Path& file) {
  auto row = LOAM_TRY(database_.prepare(
      "SELECT device, inode, bytes, mtime_ns, ctime_ns FROM model_file WHERE file = ?"));
  row.bind(0, to_stored(file));
  if (!LOAM_TRY(row.step())) return std::optional<env::FileStamp>();
  return std::optional(env::FileStamp{to_unsigned(row.integer(0)), to_unsigned(row.integer(1)),
                                      to_unsigned(row.integer(2)), row.integer(3), row.integer(4)});
}

Result<> ModelTable::set_stamp(const env::Path& file, const env::FileStamp& stamp) {
  auto update = LOAM_TRY(database_.prepare(
      "UPDATE model_file SET device = ?, inode = ?, mtime_ns = ?, ctime_ns = ? WHERE file = ?"));
  return update.bind(0, to_signed(stamp.device))
      .bind(1, to_signed(stamp.inode))
      .bind(2, stamp.mtime_ns)
      .bind(3, stamp.ctime_ns)
      .bind(4, to_stored(file))
      .run();
}

}  // namespace loam::catalog
