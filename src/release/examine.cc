#include "release/examine.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/format.h"
#include "catalog/finite.h"
#include "catalog/gguf.h"
#include "release/licences.h"
#include "tuning/outcome.h"
#include "tuning/peft_match.h"

namespace loam::release {
namespace {

void collect_faults(const Part& part, std::vector<std::string>& out) {
  for (const std::string& fault : part.faults)
    out.push_back(format("{}{}{}: {}", part.what, part.id.empty() ? "" : " ", part.id, fault));
  for (const Part& inner : part.parts) collect_faults(inner, out);
}

/// "what is A, and B is meant" if they differ.
void compare(Part& part, std::string_view what, std::string_view found, std::string_view wanted) {
  if (found != wanted)
    part.faults.push_back(format("{} is \"{}\", and \"{}\" was expected", what, found, wanted));
}
void compare(Part& part, std::string_view what, const crypto::Digest& found,
             const crypto::Digest& wanted) {
  compare(part, what, crypto::digest_hex(found), crypto::digest_hex(wanted));
}

class Examination {
 public:
  Examination(BlobSource& blobs, const ReadGate& read_gate, std::size_t threads)
      : blobs_(blobs), read_gate_(read_gate), threads_(threads) {}

  Result<Examined> run(const crypto::Digest& sha256) {
    const std::string text = LOAM_TRY(read_blob(blobs_, sha256, kManifestBytesMax));
    out_.manifest = LOAM_TRY(parse_manifest(text));
    out_.parts.push_back(base());
    out_.parts.push_back(LOAM_TRY(adapter()));
    out_.parts.push_back(LOAM_TRY(recipe()));
    out_.parts.push_back(LOAM_TRY(training()));
    out_.parts.push_back(LOAM_TRY(gate()));
    out_.parts.push_back(LOAM_TRY(data_set()));
    return std::move(out_);
  }

 private:
  const Manifest& manifest() const { return out_.manifest; }

  /// The part of a file, and what is in the file; empty after a fault that the part then has.
  /// @error  what kept it from looking: a source that is not there, an interrupt.
  Result<std::string> open(std::string_view name, Part& part) {
    const Manifest::File& file = manifest().file(name);
    auto content = read_blob(blobs_, file.sha256, file_bytes_max(name));
    if (!content) {
      const ErrorCode code = content.error().code;
      if (may_pass(code)) return content;
      part.faults.push_back(
          code == ErrorCode::kNotFound
              ? format("{}: {} is not in {}", name, crypto::digest_hex(file.sha256), blobs_.name())
              : format("{}: {}", name, content.error().message));
      return std::string();
    }
    if (content->size() != file.bytes)
      part.faults.push_back(format("{}: it has {} bytes, and the manifest says {}", name,
                                   content->size(), file.bytes));
    return content;
  }

  Part file_part(std::string what, std::string_view name) const {
    return {.what = std::move(what), .id = crypto::digest_hex(manifest().file(name).sha256)};
  }

  Part base() const {
    const Manifest::Base& base = manifest().base;
    return {.what = "base",
            .id = crypto::digest_hex(base.sha256),
            .text = format("{}, {}, {}", base.name, base.licence,
                           base.source.empty() ? "from a file" : base.source),
            .is_claim = true};
  }

  /// The same adapter for programs that know PEFT. No gate has measured these files, so that they
  /// are compared with the one that was. @param header  of `gguf`; null if it cannot be read.
  Result<> add_peft_files(Part& adapter, std::string_view gguf, const catalog::GgufHeader* header) {
    const std::string_view config = kFiles[1], tensors = kFiles[2];
    for (const std::string_view name : {config, tensors}) {
      Part part = file_part("file", name);
      part.text = name;
      const std::string content = LOAM_TRY(open(name, part));
      if (header == nullptr) {
        part.text += ", which cannot be compared with the adapter";
        part.is_claim = true;
      } else if (!content.empty() || part.faults.empty()) {
        const auto same =
            name == config ? tuning::check_peft_config(content, *header)
                           : tuning::check_peft_tensors(as_bytes(content), as_bytes(gguf), *header);
        if (!same) part.faults.push_back(format("{}: {}", name, same.error().message));
      }
      adapter.parts.push_back(std::move(part));
    }
    return {};
  }

  /// The adapter says by itself what it was made of.
  Result<Part> adapter() {
    Part part = file_part("adapter", kAdapterFile);
    const std::string gguf = LOAM_TRY(open(kAdapterFile, part));
    part.text = format("{} bytes", manifest().file(kAdapterFile).bytes);
    const auto header = catalog::read_gguf_header(as_bytes(gguf));
    LOAM_TRY(add_peft_files(part, gguf, header ? &*header : nullptr));
    if (gguf.empty()) return part;
    if (!header) {
      part.faults.push_back(header.error().message);
      return part;
    }
    if (const auto finite = catalog::check_finite(as_bytes(gguf)); !finite)
      part.faults.push_back(finite.error().message);
    const auto said = [&](std::string_view key) {
      const auto found = header->texts.find(key);
      return found == header->texts.end() ? std::string("nothing") : found->second;
    };
    const Manifest& all = manifest();
    for (const auto& [key, wanted] : {std::pair{"adapter.loam.base_sha256", all.base.sha256},
                                      {"adapter.loam.data_set_root", all.data_set.roots.dataset()},
                                      {"adapter.loam.recipe_sha256", all.file(kRecipeFile).sha256},
                                      {"adapter.loam.run", all.run.id}})
      compare(part, key, said(key), crypto::digest_hex(wanted));
    return part;
  }

  Result<Part> recipe() {
    Part part = file_part("recipe", kRecipeFile);
    const std::string text = LOAM_TRY(open(kRecipeFile, part));
    if (text.empty()) return part;
    const auto recipe = tuning::parse_recipe(text, kRecipeFile);
    if (!recipe) {
      part.faults.push_back(recipe.error().message);
      return part;
    }
    part.text = format("seed {}", recipe->seed);
    if (recipe->seed != manifest().run.seed)
      part.faults.push_back(
          format("its seed is {}, and the manifest says {}", recipe->seed, manifest().run.seed));
    if (to_toml(*recipe) != text) part.faults.emplace_back("it is not the whole recipe of a run");
    return part;
  }

  Result<Part> training() {
    const Manifest::Run& run = manifest().run;
    Part part{.what = "run",
              .id = crypto::digest_hex(run.id),
              .text = format("{} examples, loam {}, {}, engine {}", run.examples, run.version,
                             run.instruction_set, run.engine_build)};
    compare(part, "what follows from base, data set, recipe and examples",
            tuning::run_id(manifest().base.sha256, manifest().data_set.roots.dataset(),
                           manifest().file(kRecipeFile).sha256, run.examples_sha256),
            run.id);
    Part log = file_part("training log", kLogFile);
    const std::string text = LOAM_TRY(open(kLogFile, log));
    log.text = format("{} steps", std::ranges::count(text, '\n'));
    part.parts.push_back(std::move(log));
    return part;
  }

  Result<Part> gate() {
    const Manifest& all = manifest();
    Part part = file_part("gate", kGateFile);
    part.text = format("{}, profile {}{}", all.gate.verdict, all.gate.profile,
                       all.gate.self_gated ? ", self-gated" : "");
    const std::string text = LOAM_TRY(open(kGateFile, part));
    if (text.empty()) return part;
    part.is_claim = !read_gate_;
    if (!read_gate_) return part;
    const auto report = read_gate_(text);
    if (!report) {
      part.faults.push_back(report.error().message);
      return part;
    }
    compare(part, "the report's verdict", report->verdict, all.gate.verdict);
    compare(part, "its profile", report->profile, all.gate.profile);
    compare(part, "self_gated", report->self_gated ? "true" : "false",
            all.gate.self_gated ? "true" : "false");
    compare(part, "the adapter that it is about", report->adapter_sha256,
            all.file(kAdapterFile).sha256);
    compare(part, "its base", report->base_sha256, all.base.sha256);
    compare(part, "its data set", report->data_set_root, all.data_set.roots.dataset());
    return part;
  }

  Result<Part> data_set() {
    const Manifest::DataSet& said = manifest().data_set;
    Part part{.what = "data set",
              .id = crypto::digest_hex(said.roots.dataset()),
              .text = format("{} records, query \"{}\"", said.used, said.query)};
    const std::string text = LOAM_TRY(open(kDataSetFile, part));
    const std::string bytes = LOAM_TRY(open(kProofsFile, part));
    if (text.empty() || bytes.empty()) return part;
    auto parsed = dataset::parse_manifest(text);
    const auto bundle = decode_proofs(as_bytes(bytes));
    if (!parsed) part.faults.push_back(parsed.error().message);
    if (!bundle) part.faults.push_back(bundle.error().message);
    if (!parsed || !bundle) return part;
    out_.data_set = *std::move(parsed);
    compare(part, "its query", out_.data_set.query, said.query);
    out_.proofs = check_proofs(*bundle, out_.data_set, threads_);
    for (const LogProof& log : bundle->logs) out_.log_keys.push_back(log.key);
    part.faults.insert(part.faults.end(), out_.proofs.faults.begin(), out_.proofs.faults.end());
    compare(part, "the root of the used records", out_.proofs.used_root, said.roots.used);
    if (bundle->records.size() != said.used)
      part.faults.push_back(format("it has proofs of {} records, and the manifest says {}",
                                   bundle->records.size(), said.used));
    check_licence(part);
    add_records(part);
    return part;
  }

  /// By the records' own headers.
  void check_licence(Part& part) const {
    std::set<std::string> licences;
    for (const UsedRecord& record : out_.proofs.records)
      if (!record.header.licence.empty()) licences.insert(record.header.licence);
    std::vector<LicensedPart> parts{
        {manifest().base.licence, "the base model " + manifest().base.name}};
    for (const std::string& licence : licences)
      parts.push_back({licence, "a record of the data set"});
    const auto combined = combined_licence(parts);
    if (!combined)
      part.faults.push_back(combined.error().message);
    else
      compare(part, "the licence of all parts together", *combined, manifest().licence);
  }

  void add_records(Part& part) const {
    for (const dataset::Manifest::Log& log : out_.data_set.logs)
      part.parts.push_back(
          {.what = "log",
           .id = log.origin,
           .text = format("first {} records, root {}", log.height, crypto::digest_hex(log.root))});
    for (const UsedRecord& record : out_.proofs.records) {
      if (record.log >= part.parts.size()) continue;
      const ledger::Header& header = record.header;
      part.parts[record.log].parts.push_back(
          {.what = std::string(ledger::kind_name(header.kind)),
           .id = to_text(record.id),
           .text = format("record {}{}{}", record.index, header.licence.empty() ? "" : ", ",
                          header.licence)});
    }
  }

  BlobSource& blobs_;
  const ReadGate& read_gate_;
  const std::size_t threads_;
  Examined out_;
};

}  // namespace

std::vector<std::string> faults_of(const Part& part) {
  std::vector<std::string> out;
  collect_faults(part, out);
  return out;
}

Result<Examined> examine(const crypto::Digest& manifest, BlobSource& blobs,
                         const ReadGate& read_gate, std::size_t threads) {
  return Examination(blobs, read_gate, threads).run(manifest);
}

}  // namespace loam::release
