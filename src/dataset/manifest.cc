#include "dataset/manifest.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>

#include "base/format.h"
#include "codec/json.h"
#include "codec/json_items.h"

namespace loam::dataset {
namespace {

constexpr std::string_view kFormat = "loam-dataset";
constexpr std::string_view kRootDomain = "loam.dataset.v1";
/// Most of a large one are lines of models, which have 75 bytes each.
constexpr std::size_t kManifestValuesMax = kManifestBytesMax / 64;

std::unexpected<Error> corrupt(std::string_view file, std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("{}: {}", file, why));
}

codec::Object counts(const std::map<std::string, std::uint64_t>& map) {
  codec::Object out;
  for (const auto& [name, count] : map) out.emplace_back(name, count);
  return out;
}

/// A member of the wanted type, or nullptr.
const std::string* text_at(const codec::Value& value, std::string_view name) {
  const codec::Value* member = value.find(name);
  return member == nullptr ? nullptr : member->as_string();
}
const std::int64_t* integer_at(const codec::Value& value, std::string_view name) {
  const codec::Value* member = value.find(name);
  return member == nullptr ? nullptr : member->as_int();
}
std::optional<crypto::Digest> digest_at(const codec::Value& value, std::string_view name) {
  const std::string* text = text_at(value, name);
  const auto digest = text == nullptr ? fail(ErrorCode::kCorrupt, "") : crypto::parse_digest(*text);
  if (!digest || crypto::digest_hex(*digest) != *text) return std::nullopt;
  return *digest;
}

Result<Manifest::Log> parse_log(const codec::Value& value) {
  const std::string* origin = text_at(value, "origin");
  const std::int64_t* height = integer_at(value, "height");
  const auto root = digest_at(value, "root");
  if (origin == nullptr || height == nullptr || *height < 0 || !root)
    return corrupt(kManifestFile, "a log without origin, height or root");
  return Manifest::Log{*origin, static_cast<std::uint64_t>(*height), *root};
}

Result<codec::Value> parse_line(std::string_view file, std::string_view line) {
  auto value = codec::parse_json(line, {.bytes_max = std::size_t{4} << 20, .depth_max = 2});
  if (!value) return corrupt(file, value.error().message);
  if (value->as_object() == nullptr) return corrupt(file, "a line that is no object");
  return value;
}

/// The number of members must be `members`, so that nothing stands there unread.
Result<ledger::RecordId> id_of(std::string_view file, const codec::Value& value) {
  const std::string* text = text_at(value, "id");
  if (text == nullptr) return corrupt(file, "a line without an id");
  auto id = ledger::parse_record_id(*text);
  if (!id) return corrupt(file, id.error().message);
  return id;
}

}  // namespace

Summary summarise(const std::vector<Row>& rows, const std::vector<Dropped>& dropped) {
  Summary out;
  out.rows = rows.size();
  out.dropped = dropped.size();
  out.used = used_records(rows).size();
  std::set<crypto::PublicKey> authors;
  std::map<crypto::Digest, std::uint64_t> models;
  for (const Row& row : rows) {
    authors.insert(row.header.author);
    ++out.splits[std::string(split_name(row.split))];
    ++out.licences[row.header.licence];
    ++out.languages[row.conversation.language];
    ++out.origins[std::string(ledger::origin_name(row.answer().origin))];
    for (const crypto::Digest& model : row.header.models) ++models[model];
  }
  for (const auto& [model, count] : models) out.models[crypto::digest_hex(model)] = count;
  for (const Dropped& one : dropped) ++out.reasons[std::string(reason_name(one.reason))];
  out.authors = authors.size();
  return out;
}

Manifest manifest_of(const Facts& facts, const Recipe& recipe, const ledger::NetId& net,
                     const crypto::Digest& split_seed) {
  Manifest out{net, recipe.profile, recipe.query.text(), split_seed, {}};
  for (const LogAtHeight& log : facts.logs)
    out.logs.push_back({log.key.name, log.entries.size(), log.root});
  return out;
}

std::string manifest_text(const Manifest& manifest, const Summary& summary,
                          const std::vector<FileInfo>& files) {
  codec::Array logs, file_list;
  for (const Manifest::Log& log : manifest.logs)
    logs.push_back(codec::Object{
        {"origin", log.origin}, {"height", log.height}, {"root", crypto::digest_hex(log.root)}});
  for (const FileInfo& file : files)
    file_list.push_back(codec::Object{{"name", file.name},
                                      {"bytes", file.bytes},
                                      {"lines", file.lines},
                                      {"sha256", crypto::digest_hex(file.sha256)}});
  const codec::Object out{{"format", kFormat},
                          {"pipeline", kPipeline},
                          {"net", to_hex(manifest.net)},
                          {"profile", profile_name(manifest.profile)},
                          {"query", manifest.query},
                          {"split_seed", crypto::digest_hex(manifest.split_seed)},
                          {"logs", std::move(logs)},
                          {"rows", summary.rows},
                          {"dropped", summary.dropped},
                          {"used", summary.used},
                          {"authors", summary.authors},
                          {"splits", counts(summary.splits)},
                          {"licences", counts(summary.licences)},
                          {"languages", counts(summary.languages)},
                          {"models", counts(summary.models)},
                          {"origins", counts(summary.origins)},
                          {"reasons", counts(summary.reasons)},
                          {"files", std::move(file_list)}};
  return codec::to_json(codec::Value(out), 2) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  const auto value = codec::parse_json(
      text, {.bytes_max = kManifestBytesMax, .depth_max = 4, .values_max = kManifestValuesMax});
  if (!value) return corrupt(kManifestFile, value.error().message);
  const std::string* form = text_at(*value, "format");
  const std::int64_t* pipeline = integer_at(*value, "pipeline");
  if (form == nullptr || *form != kFormat || pipeline == nullptr)
    return corrupt(kManifestFile, "it is not that of a data set");
  if (*pipeline != kPipeline)
    return fail(
        ErrorCode::kUnsupported,
        format("{}: pipeline {}; this program knows {}", kManifestFile, *pipeline, kPipeline),
        "another version of loam made this data set");
  const std::string* net = text_at(*value, "net");
  const std::string* profile = text_at(*value, "profile");
  const std::string* query = text_at(*value, "query");
  const auto seed = digest_at(*value, "split_seed");
  const codec::Value* logs = value->find("logs");
  if (net == nullptr || profile == nullptr || query == nullptr || !seed || logs == nullptr ||
      logs->as_array() == nullptr)
    return corrupt(kManifestFile, "net, profile, query, split_seed or logs is missing");
  Manifest out{ledger::kPublicNet, LOAM_TRY(parse_profile(*profile)), *query, *seed, {}};
  const auto net_bytes = from_hex(*net);
  if (!net_bytes || net_bytes->size() != out.net.size() || to_hex(*net_bytes) != *net)
    return corrupt(kManifestFile, "net is not 32 hexadecimal characters");
  std::ranges::copy(*net_bytes, out.net.begin());
  for (const codec::Value& log : *logs->as_array()) out.logs.push_back(LOAM_TRY(parse_log(log)));
  return out;
}

std::vector<ledger::RecordId> used_records(const std::vector<Row>& rows) {
  std::vector<ledger::RecordId> out, others;
  for (const Row& row : rows) {
    if (row.original) others.push_back(*row.original);
    others.insert(others.end(), row.rating.votes.begin(), row.rating.votes.end());
  }
  std::ranges::sort(others);
  out.reserve(rows.size() + others.size());
  std::ranges::merge(std::views::transform(rows, &Row::id), others, std::back_inserter(out));
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

crypto::Digest Roots::dataset() const {
  return crypto::Sha256()
      .update(as_bytes(kRootDomain))
      .update(rows)
      .update(used)
      .update(manifest)
      .finish();
}

Roots roots_of(const std::vector<Row>& rows, std::string_view manifest) {
  crypto::Frontier row_tree, used_tree;
  for (const Row& row : rows) row_tree.append(crypto::leaf_hash(encode_row(row)));
  for (const ledger::RecordId& id : used_records(rows))
    used_tree.append(crypto::leaf_hash(id.digest));
  return {row_tree.root(), used_tree.root(), crypto::sha256(as_bytes(manifest))};
}

std::string roots_text(const Roots& roots) {
  const codec::Object out{{"dataset_root", crypto::digest_hex(roots.dataset())},
                          {"rows_root", crypto::digest_hex(roots.rows)},
                          {"used_root", crypto::digest_hex(roots.used)},
                          {"manifest_sha256", crypto::digest_hex(roots.manifest)}};
  return codec::to_json(codec::Value(out), 2) + "\n";
}

std::string dropped_line(const Dropped& dropped) {
  codec::Object out{{"id", ledger::to_text(dropped.id)}, {"reason", reason_name(dropped.reason)}};
  if (dropped.of) out.emplace_back("of", ledger::to_text(*dropped.of));
  if (!dropped.rule.empty()) out.emplace_back("rule", dropped.rule);
  return codec::to_json(codec::Value(std::move(out))) + "\n";
}

Result<Dropped> parse_dropped_line(std::string_view line) {
  const auto value = LOAM_TRY(parse_line(kDroppedFile, line));
  const std::string* name = text_at(value, "reason");
  const auto reason = name == nullptr ? std::nullopt : parse_reason(*name);
  if (!reason) return corrupt(kDroppedFile, "a line without a reason that is known");
  Dropped out{LOAM_TRY(id_of(kDroppedFile, value)), *reason};
  if (const std::string* other = text_at(value, "of")) {
    const auto id = ledger::parse_record_id(*other);
    if (!id) return corrupt(kDroppedFile, id.error().message);
    out.of = *id;
  }
  if (const std::string* rule = text_at(value, "rule")) out.rule = *rule;
  return out;
}

std::string body_line(const UsedBody& body) {
  std::string out;
  codec::JsonObject(out)
      .text("id", ledger::to_text(body.id))
      .boolean("row", body.is_row)
      .text("salt", to_base64(body.body.salt))
      .text("body", to_base64(body.body.body))
      .end();
  return out + "\n";
}

Result<UsedBody> parse_body_line(std::string_view line) {
  // By hand: it is all of the texts, and no other spelling is written.
  bool good = true;
  const auto take = [&](std::string_view text) {
    const bool there = line.starts_with(text);
    if (there) line.remove_prefix(text.size());
    return there;
  };
  const auto take_text = [&](std::string_view before) {
    good = good && take(before);
    const std::string_view out = line.substr(0, line.find('"'));
    line.remove_prefix(out.size());
    return out;
  };
  const std::string_view id = take_text("{\"id\":\"");
  good = good && take("\",\"row\":");
  const bool is_row = take("true");
  good = good && (is_row || take("false"));
  const std::string_view salt = take_text(",\"salt\":\"");
  const std::string_view body = take_text("\",\"body\":\"");
  if (!good || line != "\"}") return corrupt(kBodiesFile, "a line without id, row, salt or body");
  const auto parsed_id = ledger::parse_record_id(id);
  if (!parsed_id) return corrupt(kBodiesFile, parsed_id.error().message);
  UsedBody out{*parsed_id, is_row, {}};
  const auto salt_bytes = from_base64(salt);
  auto body_bytes = from_base64(body);
  if (!salt_bytes || salt_bytes->size() != out.body.salt.size() || !body_bytes)
    return corrupt(kBodiesFile, "salt or body is not base64");
  std::ranges::copy(*salt_bytes, out.body.salt.begin());
  out.body.body = *std::move(body_bytes);
  return out;
}

}  // namespace loam::dataset
