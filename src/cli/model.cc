// model: published models, where they come from, and whose records are in them.
#include <memory>

#include "base/format.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/published.h"
#include "cli/table.h"
#include "cli/training.h"
#include "cli/verbs.h"
#include "dataset/parallel.h"
#include "release/gate_summary.h"
#include "release/lineage_forms.h"
#include "release/membership.h"

namespace loam::cli {
namespace {

constexpr std::size_t kRecordsShown = 10;  // of each log; chosen
constexpr std::size_t kHashCharacters = 12;

struct ModelOptions {
  std::optional<std::string> model, record;
  NamedLogs logs;
  bool dot = false, all = false;
};

Result<int> list(Invocation& invocation, const ModelOptions& options) {
  const auto published = LOAM_TRY(Published::open(invocation, options.logs));
  Console& console = invocation.console;
  std::vector<std::vector<std::string>> rows;
  for (const FoundPublication& one : published->list()) {
    const std::string adapter = crypto::digest_hex(one.payload.models.back());
    if (invocation.globals.json)
      console.json(codec::Object{{"record", to_text(one.id)},
                                 {"name", one.payload.name},
                                 {"licence", one.payload.licence},
                                 {"adapter", adapter},
                                 {"manifest", crypto::digest_hex(one.payload.manifest)},
                                 {"log", one.log},
                                 {"published_at", time_text(one.time_s * 1000)},
                                 {"withdrawn", one.withdrawn}});
    else if (invocation.globals.quiet)
      console.line(to_text(one.id));
    rows.push_back({to_text(one.id), one.payload.name + (one.withdrawn ? " (withdrawn)" : ""),
                    one.payload.licence, adapter.substr(0, kHashCharacters),
                    relative_time(one.time_s * 1000, invocation.clock.wall_ms())});
  }
  if (invocation.globals.json || invocation.globals.quiet) return 0;
  if (rows.empty())
    console.note("nothing was published yet: loam publish JOB");
  else
    console.out(format_table({"ID", "NAME", "LICENCE", "ADAPTER", "PUBLISHED"}, rows));
  return 0;
}

/// Whether the base's file is among the models of this machine, and whole.
Result<bool> find_base(const Invocation& invocation, const release::Manifest::Base& base) {
  const auto catalog = open_catalog(invocation);
  if (!catalog) return false;
  const auto model = (*catalog)->find(crypto::digest_hex(base.sha256));
  if (!model || model->sha256 != base.sha256) return false;
  static_cast<void>(LOAM_TRY((*catalog)->open_verified(*model)));
  return true;
}

void show_lineage(Console& console, const release::Lineage& lineage, std::size_t records_max) {
  console.out(printable(release::lineage_tree(lineage, records_max)));
  if (!lineage.retracted.empty())
    console.line(
        format("trained before retraction of {}", counted(lineage.retracted.size(), "record")));
  for (std::size_t i = 0; i < std::min(lineage.retracted.size(), records_max); ++i)
    console.line(format("  {} by {}", to_text(lineage.retracted[i].first),
                        to_text(lineage.retracted[i].second.id)));
  console.line(format("{}: {}, {}", lineage.faults.empty() ? "verified" : "DAMAGED",
                      counted(lineage.publications, "publication"),
                      counted(lineage.records, "record")));
  for (const std::string& fault : lineage.faults) console.line("  " + printable(fault));
}

/// What gates elsewhere said, and how often a key drew without saying.
void show_attestations(Console& console, const release::Attestations& all, std::size_t lines_max) {
  std::vector<std::string> lines;
  for (const release::FoundAttestation& one : all.found)
    lines.push_back(format("attested {} by {} ({}){}{}", ledger::attested_name(one.payload.verdict),
                           to_hex(one.author), to_text(one.id),
                           one.doubt.empty() ? "" : ", which does not count: ", one.doubt));
  for (const auto& [author, count] : all.open)
    lines.push_back(format("{} by {} with which nothing was attested that counts",
                           counted(count, "commitment"), to_hex(author)));
  for (std::size_t i = 0; i < std::min(lines.size(), lines_max); ++i) console.line(lines[i]);
  if (lines.size() > lines_max)
    console.line(format("{} more about attestations", counted(lines.size() - lines_max, "line")));
}

/// Two members: "attestations" and "open_commitments".
void add_attestations(codec::Value& out, const release::Attestations& all) {
  codec::Array found, open;
  for (const release::FoundAttestation& one : all.found)
    found.push_back(codec::Object{
        {"record", to_text(one.id)},
        {"author", to_hex(one.author)},
        {"verdict", ledger::attested_name(one.payload.verdict)},
        {"report", crypto::digest_hex(one.payload.report)},
        {"commitment",
         one.payload.drawn ? codec::Value(to_text(one.payload.drawn->commitment)) : codec::Value()},
        {"counts", one.doubt.empty()},
        {"why_not", one.doubt}});
  for (const auto& [author, count] : all.open)
    open.push_back(codec::Object{{"author", to_hex(author)}, {"count", count}});
  out.set("attestations", std::move(found));
  out.set("open_commitments", std::move(open));
}

Result<int> lineage(Invocation& invocation, const ModelOptions& options) {
  const auto published = LOAM_TRY(Published::open(invocation, options.logs));
  const ledger::RecordId id = LOAM_TRY(published->find(invocation, *options.model));
  const InterruptGuard guard;
  const auto walked = LOAM_TRY(
      release::walk(published->archive(), id,
                    {.read_gate = release::gate_summary,
                     .find_base = [&](const auto& base) { return find_base(invocation, base); },
                     .threads = dataset::usual_threads()}));
  const std::size_t records_max = options.all ? SIZE_MAX : kRecordsShown;
  const release::Attestations attestations = published->attestations(id);
  Console& console = invocation.console;
  if (options.dot) {
    console.out(release::lineage_dot(walked, records_max));
  } else if (invocation.globals.json) {
    codec::Value value = release::lineage_value(walked);
    add_attestations(value, attestations);
    console.json(value);
  } else {
    show_lineage(console, walked, records_max);
    show_attestations(console, attestations, records_max);
  }
  return walked.faults.empty() ? 0 : kVerificationFailed;
}

codec::Value places_value(const release::Membership& proof) {
  codec::Array out;
  for (const release::UsedPlace& place : proof.places) {
    codec::Array path;
    for (const crypto::Digest& digest : place.path) path.emplace_back(crypto::digest_hex(digest));
    out.push_back(codec::Object{
        {"record", to_text(place.id)}, {"position", place.position}, {"path", std::move(path)}});
  }
  return out;
}

/// The publication's files with the proofs of its records, if nothing is wrong with those.
Result<release::Examined> examined(Published& published, const ledger::RecordId& id) {
  release::Archive& archive = published.archive();
  const auto standing = archive.find(id);
  if (!standing)
    return fail(ErrorCode::kNotFound,
                format("publication {}: it is in no log at hand", to_text(id)), "loam model ls");
  const auto payload = LOAM_TRY(release::published_adapter(id, standing->header));
  release::Examined out =
      LOAM_TRY(release::examine(payload.manifest, archive.blobs(), {}, dataset::usual_threads()));
  std::vector<std::string> faults = release::faults_of(out.parts.back());
  if (release::publication_of(out.manifest, payload.manifest) != payload)
    faults.emplace_back("its record and its manifest do not name the same things");
  if (faults.empty()) return out;
  return fail(ErrorCode::kCorrupt,
              format("publication {}: {}", to_text(id), printable(faults.front())),
              format("loam model lineage {} lists all that is wrong", to_text(id)));
}

void show_membership(Console& console, const release::Manifest& manifest,
                     const ledger::RecordId& record, const release::Membership& proof,
                     bool is_retracted) {
  const std::uint64_t size = manifest.data_set.used;
  if (proof.is_used) {
    console.line(format("{} is in {}: number {} of the {} that its data set was made of",
                        to_text(record), manifest.name, proof.places.front().position + 1,
                        counted(size, "record")));
    if (is_retracted) console.line("it was retracted after the training");
  } else {
    console.line(format("{} is not in {}: the sorted list of {} has nothing between",
                        to_text(record), manifest.name, counted(size, "record")));
    for (const release::UsedPlace& place : proof.places)
      console.line(format("  {}, number {}", to_text(place.id), place.position + 1));
  }
  console.line(format("proven under {} by {}", crypto::digest_hex(manifest.data_set.roots.used),
                      proof.places.empty()
                          ? "the empty list"
                          : format("{} hashes each", proof.places.front().path.size())));
}

Result<int> contains(Invocation& invocation, const ModelOptions& options) {
  const auto record = LOAM_TRY(ledger::parse_record_id(*options.record));
  const auto published = LOAM_TRY(Published::open(invocation, options.logs));
  const ledger::RecordId id = LOAM_TRY(published->find(invocation, *options.model));
  const InterruptGuard guard;
  const release::Examined found = LOAM_TRY(examined(*published, id));
  std::vector<ledger::RecordId> used;
  for (const release::UsedRecord& one : found.proofs.records) used.push_back(one.id);
  const release::Membership proof = release::find_used(used, record);
  const release::Manifest& manifest = found.manifest;
  const dataset::Roots& roots = manifest.data_set.roots;
  const bool is_retracted = published->archive().retraction(record).has_value();
  if (invocation.globals.json)
    invocation.console.json(codec::Object{{"publication", to_text(id)},
                                          {"record", to_text(record)},
                                          {"included", proof.is_used},
                                          {"retracted_since", proof.is_used && is_retracted},
                                          {"used", manifest.data_set.used},
                                          {"used_root", crypto::digest_hex(roots.used)},
                                          {"rows_root", crypto::digest_hex(roots.rows)},
                                          {"manifest_sha256", crypto::digest_hex(roots.manifest)},
                                          {"data_set_root", crypto::digest_hex(roots.dataset())},
                                          {"proof", places_value(proof)}});
  else if (invocation.globals.quiet)
    invocation.console.line(proof.is_used ? "yes" : "no");
  else
    show_membership(invocation.console, manifest, record, proof, is_retracted);
  return 0;
}

}  // namespace

Verb model_verb() {
  const auto options = std::make_shared<ModelOptions>();
  const Argument model = {
      "MODEL",
      "",
      &options->model,
      "The publication's ID, the name of a model, or the beginning of an adapter's hash.",
      true,
      Offer::kModels};
  const Argument from = {"--from", "URL|DIR", &options->logs.from,
                         "A log to read besides this node's own; its node's files lie beside it, "
                         "under blob. May be repeated."};
  const Argument key = {"--key", "VKEY", &options->logs.keys,
                        "The key of the log named with --from, in the same order."};
  Verb verb;
  verb.name = "model";
  verb.group = "Training";
  verb.summary = "Shows published models, where they come from, and whose records are in them";
  verb.examples = {"loam model ls", "loam model lineage sailor",
                   "loam model contains sailor loam1..."};

  Verb all =
      inner_verb("ls", "Lists what was published, the newest first", {"loam model ls --json"});
  all.arguments = {from, key};
  all.run = [options](Invocation& invocation) { return list(invocation, *options); };

  Verb tree =
      inner_verb("lineage", "Walks and verifies all that a published model was made of",
                 {"loam model lineage sailor", "loam model lineage loam1... --dot",
                  "loam model lineage loam1... --from https://example.org/log --key 'VKEY'"});
  tree.details =
      "Down to single records: hashes, signatures, proofs, licences, and the publications that it "
      "descends from. Whatever was changed is named. What nothing here proves, such as the key of "
      "a log that you did not name, is marked as a claim.";
  tree.arguments = {model,
                    {"--dot", "", &options->dot, "As a graph for Graphviz."},
                    {"--all", "", &options->all, "Every record, not the first ten of each log."},
                    from,
                    key};
  tree.run = [options](Invocation& invocation) { return lineage(invocation, *options); };

  Verb in = inner_verb("contains", "Proves that a record is, or is not, in a published model",
                       {"loam model contains sailor loam1..."});
  in.details =
      "By the sorted list of all records that its data set was made of: the record's place in it, "
      "or the two neighbours that have nothing between them. --json prints the proof.";
  in.arguments = {model, {"RECORD", "", &options->record, "ID of a record.", true}, from, key};
  in.run = [options](Invocation& invocation) { return contains(invocation, *options); };
  verb.verbs = {all, tree, in};
  return verb;
}

}  // namespace loam::cli
