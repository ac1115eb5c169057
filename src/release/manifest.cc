#include "release/manifest.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/format.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "ledger/record.h"

namespace loam::release {
namespace {

constexpr std::string_view kFormat = "loam-publication";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kTextBytesMax = 2048;   // of a source, a version ...
constexpr std::size_t kQueryBytesMax = 4096;  // dataset.md

std::unexpected<Error> corrupt(std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("manifest of a publication: {}", why));
}

/// Members of one object; the first that is not of its kind is remembered.
class Members {
 public:
  Members(const codec::Value& object, std::string path) : object_(object), path_(std::move(path)) {}

  std::string text(std::string_view name, std::size_t bytes_max = kTextBytesMax) {
    const codec::Value* value = find(name);
    const std::string* found = value == nullptr ? nullptr : value->as_string();
    // It is shown on terminals and pages: no control characters.
    const bool good = found != nullptr && found->size() <= bytes_max &&
                      std::ranges::none_of(*found, [](char c) { return c >= 0 && c < 0x20; });
    if (good) return *found;
    bad(name);
    return {};
  }
  crypto::Digest digest(std::string_view name) {
    const auto found = crypto::parse_digest(text(name));
    if (found) return *found;
    bad(name);
    return {};
  }
  std::uint64_t count(std::string_view name) {
    const codec::Value* value = find(name);
    const std::int64_t* found = value == nullptr ? nullptr : value->as_int();
    if (found != nullptr && *found >= 0) return static_cast<std::uint64_t>(*found);
    bad(name);
    return 0;
  }
  bool flag(std::string_view name) {
    const codec::Value* value = find(name);
    const bool* found = value == nullptr ? nullptr : value->as_bool();
    if (found == nullptr) bad(name);
    return found != nullptr && *found;
  }
  const codec::Array& list(std::string_view name) {
    static const codec::Array kNone;
    const codec::Value* value = find(name);
    const codec::Array* found = value == nullptr ? nullptr : value->as_array();
    if (found == nullptr) bad(name);
    return found == nullptr ? kNone : *found;
  }
  /// Where an object should be; what is no object has no members.
  Members object(std::string_view name) {
    static const codec::Value kNone;
    const codec::Value* value = find(name);
    return {value == nullptr ? kNone : *value, path_ + std::string(name) + "."};
  }
  void bad(std::string_view name) {
    if (bad_.empty()) bad_ = path_ + std::string(name);
  }
  /// @error Corrupt  names the first member that is missing or wrong.
  Result<> check() const {
    if (bad_.empty()) return {};
    return corrupt(format("{} is missing or not what belongs there", bad_));
  }

 private:
  const codec::Value* find(std::string_view name) const { return object_.find(name); }

  const codec::Value& object_;
  std::string path_, bad_;
};

Result<Manifest::Base> read_base(Members in) {
  Manifest::Base out{.name = in.text("name"),
                     .sha256 = in.digest("sha256"),
                     .bytes = in.count("bytes"),
                     .architecture = in.text("architecture"),
                     .source = in.text("source"),
                     .licence = in.text("licence")};
  if (!ledger::is_published_name(out.name)) in.bad("name");
  LOAM_TRY(in.check());
  return out;
}

Result<Manifest::DataSet> read_data_set(Members in) {
  Manifest::DataSet out{.roots = {.rows = in.digest("rows_root"), .used = in.digest("used_root")},
                        .used = in.count("used"),
                        .query = in.text("query", kQueryBytesMax)};
  LOAM_TRY(in.check());
  return out;
}

Result<Manifest::Run> read_run(Members in) {
  Manifest::Run out{.id = in.digest("id"),
                    .seed = in.count("seed"),
                    .examples = in.count("examples"),
                    .examples_sha256 = in.digest("examples_sha256"),
                    .version = in.text("version"),
                    .engine_build = in.text("engine_build"),
                    .instruction_set = in.text("instruction_set")};
  LOAM_TRY(in.check());
  return out;
}

Result<Manifest::Gate> read_gate(Members in) {
  Manifest::Gate out{.verdict = in.text("verdict"),
                     .profile = in.text("profile"),
                     .self_gated = in.flag("self_gated")};
  if (out.verdict != "pass" && out.verdict != "fail" && out.verdict != "inconclusive")
    in.bad("verdict");
  if (out.profile != "own" && out.profile != "network") in.bad("profile");
  LOAM_TRY(in.check());
  return out;
}

Result<std::vector<Manifest::File>> read_files(const codec::Array& list) {
  if (list.size() != kFiles.size())
    return corrupt(format("{} files where {} belong", list.size(), kFiles.size()));
  std::vector<Manifest::File> out;
  for (const codec::Value& value : list) {
    Members in(value, format("files[{}].", out.size()));
    Manifest::File file{in.text("name"), in.count("bytes"), in.digest("sha256")};
    if (file.name != kFiles.at(out.size())) in.bad("name");
    if (file.bytes > file_bytes_max(kFiles.at(out.size()))) in.bad("bytes");
    LOAM_TRY(in.check());
    out.push_back(std::move(file));
  }
  return out;
}

Result<std::vector<ledger::RecordId>> read_parents(const codec::Array& list) {
  if (list.size() > ledger::kRefsMax) return corrupt("too many parents");
  std::vector<ledger::RecordId> out;
  for (const codec::Value& value : list) {
    const std::string* text = value.as_string();
    const auto id = ledger::parse_record_id(text == nullptr ? std::string_view() : *text);
    if (!id || std::ranges::find(out, *id) != out.end())
      return corrupt("parents: no id, or one twice");
    out.push_back(*id);
  }
  return out;
}

codec::Value data_set_value(const Manifest::DataSet& data_set) {
  return codec::Object{{"root", crypto::digest_hex(data_set.roots.dataset())},
                       {"rows_root", crypto::digest_hex(data_set.roots.rows)},
                       {"used_root", crypto::digest_hex(data_set.roots.used)},
                       {"used", data_set.used},
                       {"query", data_set.query}};
}

codec::Value run_value(const Manifest::Run& run) {
  return codec::Object{{"id", crypto::digest_hex(run.id)},
                       {"seed", run.seed},
                       {"examples", run.examples},
                       {"examples_sha256", crypto::digest_hex(run.examples_sha256)},
                       {"version", run.version},
                       {"engine_build", run.engine_build},
                       {"instruction_set", run.instruction_set}};
}

}  // namespace

std::uint64_t file_bytes_max(std::string_view name) {
  if (name.starts_with("adapter.") || name.ends_with(".safetensors"))
    return std::uint64_t{1} << 30;  // chosen: rank 64 of a model of eight billion
  if (name == kLogFile || name == kProofsFile) return std::uint64_t{256} << 20;
  return std::uint64_t{16} << 20;
}

const Manifest::File& Manifest::file(std::string_view wanted) const {
  const auto found = std::ranges::find(files, wanted, &File::name);
  LOAM_CHECK(found != files.end());
  return *found;
}

std::string manifest_text(const Manifest& manifest) {
  codec::Array parents, files;
  for (const ledger::RecordId& id : manifest.parents) parents.emplace_back(to_text(id));
  for (const Manifest::File& file : manifest.files)
    files.push_back(codec::Object{
        {"name", file.name}, {"bytes", file.bytes}, {"sha256", crypto::digest_hex(file.sha256)}});
  const Manifest::Base& base = manifest.base;
  const codec::Object out{{"format", kFormat},
                          {"version", kVersion},
                          {"type", "adapter"},
                          {"name", manifest.name},
                          {"licence", manifest.licence},
                          {"base", codec::Object{{"name", base.name},
                                                 {"sha256", crypto::digest_hex(base.sha256)},
                                                 {"bytes", base.bytes},
                                                 {"architecture", base.architecture},
                                                 {"source", base.source},
                                                 {"licence", base.licence}}},
                          {"data_set", data_set_value(manifest.data_set)},
                          {"run", run_value(manifest.run)},
                          {"gate", codec::Object{{"verdict", manifest.gate.verdict},
                                                 {"profile", manifest.gate.profile},
                                                 {"self_gated", manifest.gate.self_gated}}},
                          {"parents", std::move(parents)},
                          {"files", std::move(files)}};
  return codec::to_json(codec::Value(out), 2) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  const auto value = codec::parse_json(text, {.bytes_max = kManifestBytesMax, .depth_max = 4});
  if (!value) return corrupt(value.error().message);
  Members in(*value, "");
  const std::string form = in.text("format");
  const std::uint64_t version = in.count("version");
  LOAM_TRY(in.check());
  if (form != kFormat) return corrupt("it is the file of something else");
  if (version != kVersion)
    return fail(
        ErrorCode::kUnsupported,
        format("manifest of a publication: version {}; this program knows {}", version, kVersion),
        "another version of loam published it");
  Manifest out;
  out.name = in.text("name");
  out.licence = in.text("licence");
  if (!ledger::is_published_name(out.name)) in.bad("name");
  if (out.licence.empty() || !ledger::is_licence_id(out.licence)) in.bad("licence");
  LOAM_TRY(in.check());
  out.base = LOAM_TRY(read_base(in.object("base")));
  out.data_set = LOAM_TRY(read_data_set(in.object("data_set")));
  out.run = LOAM_TRY(read_run(in.object("run")));
  out.gate = LOAM_TRY(read_gate(in.object("gate")));
  out.parents = LOAM_TRY(read_parents(in.list("parents")));
  out.files = LOAM_TRY(read_files(in.list("files")));
  LOAM_TRY(in.check());
  out.data_set.roots.manifest = out.file(kDataSetFile).sha256;
  if (manifest_text(out) != text)
    return corrupt(
        "it is not the one text of what it says: more members, another order, or a root that does "
        "not follow");
  return out;
}

ledger::Publication publication_of(const Manifest& manifest, const crypto::Digest& sha256) {
  return {.type = ledger::PublishedType::kAdapter,
          .name = manifest.name,
          .manifest = sha256,
          .proofs = manifest.file(kProofsFile).sha256,
          .licence = manifest.licence,
          .models = {manifest.base.sha256, manifest.file(kAdapterFile).sha256}};
}

}  // namespace loam::release
