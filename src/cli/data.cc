// data: building data sets from open logs, and verifying them.
#include <algorithm>
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/log_source.h"
#include "cli/own_log.h"
#include "cli/record_progress.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "commons/copies.h"
#include "dataset/build.h"
#include "dataset/parallel.h"
#include "dataset/verify.h"
#include "env/clock.h"

namespace loam::cli {
namespace {

struct DataOptions {
  std::optional<std::string> folder, where, profile, seed;
  std::vector<std::string> from, keys, heights;
  bool no_parquet = false;
};

/// Logs that were named on the command line, with what must outlive their reading.
struct Logs {
  std::vector<dataset::LogInput> inputs;
  std::vector<crypto::VerifierKey> keys;
  std::vector<std::unique_ptr<ledger::LogSource>> sources;
  std::optional<OwnLog> own;
};

/// The i-th key belongs to the i-th source. Without either it is this machine's own log.
Result<Logs> logs_of(const Invocation& invocation, const DataOptions& options) {
  Logs out;
  for (const std::string& text : options.keys)
    out.keys.push_back(LOAM_TRY(crypto::parse_verifier_key(text)));
  if (options.from.size() > options.keys.size())
    return fail(ErrorCode::kInvalidArgument,
                format("{} logs and {} keys: each --from needs a --key", options.from.size(),
                       options.keys.size()),
                "whoever runs a log publishes its key; `loam ledger head` shows this node's");
  for (std::size_t i = 0; i < options.from.size(); ++i) {
    out.sources.push_back(LOAM_TRY(open_log_at(invocation, "read a log", options.from[i])));
    out.inputs.push_back({out.keys[i], out.sources.back().get()});
  }
  if (options.keys.empty()) {
    out.own = LOAM_TRY(open_own_log(invocation));
    out.keys.push_back(out.own->key);
    out.sources.push_back(ledger::open_own_log(out.own->folder, *out.own->storage));
    out.inputs.push_back({out.own->key, out.sources.back().get()});
  }
  return out;
}

std::string list_of(const std::map<std::string, std::uint64_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts)
    out += format("{}{} {}", out.empty() ? "" : ", ", name, count);
  return out;
}

codec::Object counts_json(const std::map<std::string, std::uint64_t>& counts) {
  codec::Object out;
  for (const auto& [name, count] : counts) out.emplace_back(name, count);
  return out;
}

void show_built(Console& console, const std::string& folder, const dataset::Built& built) {
  const dataset::Summary& summary = built.summary;
  console.line(format("{}: {}{}{}", folder, counted(summary.rows, "row"),
                      summary.rows == 0 ? "" : ": ", list_of(summary.splits)));
  for (const dataset::FileInfo& file : built.files)
    if (file.name != dataset::kBodiesFile)
      console.line(format("  {:<14}{}", file.name, counted(file.lines, "line")));
  if (summary.dropped > 0)
    console.line(format("left out {}: {}", summary.dropped, list_of(summary.reasons)));
  console.line("root " + crypto::digest_hex(built.roots.dataset()));
}

Result<std::optional<crypto::Digest>> seed_of(const DataOptions& options) {
  if (!options.seed) return std::nullopt;
  return LOAM_TRY(crypto::parse_digest(*options.seed));
}

Result<> set_heights(std::vector<dataset::LogInput>& logs, const DataOptions& options) {
  if (options.heights.size() > logs.size())
    return fail(ErrorCode::kInvalidArgument, "more heights than logs",
                "the i-th --height belongs to the i-th --from");
  for (std::size_t i = 0; i < options.heights.size(); ++i) {
    const auto height = parse_int(options.heights[i]);
    if (!height || *height < 0)
      return fail(ErrorCode::kInvalidArgument,
                  format("--height {}: not a number of records", options.heights[i]));
    logs[i].height = static_cast<std::uint64_t>(*height);
  }
  return {};
}

Result<int> build(Invocation& invocation, const DataOptions& options) {
  dataset::BuildOptions build_options;
  build_options.recipe.query = LOAM_TRY(dataset::Query::parse(options.where.value_or("")));
  build_options.recipe.profile = LOAM_TRY(dataset::parse_profile(options.profile.value_or("own")));
  build_options.recipe.split_seed = LOAM_TRY(seed_of(options));
  build_options.threads = dataset::usual_threads();
  Logs logs = LOAM_TRY(logs_of(invocation, options));
  LOAM_TRY(set_heights(logs.inputs, options));
  build_options.logs = std::move(logs.inputs);
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  LOAM_TRY(commons::Copies::of(folders).remember(*options.folder));
  const auto duckdb = dataset::find_duckdb(folders.data);
  if (duckdb && !options.no_parquet) build_options.duckdb = *duckdb;

  const InterruptGuard guard;
  const auto built = LOAM_TRY(
      dataset::build(*options.folder, std::move(build_options), RecordProgress(invocation)));
  Console& console = invocation.console;
  if (invocation.globals.json) {
    console.json(codec::Object{{"folder", *options.folder},
                               {"root", crypto::digest_hex(built.roots.dataset())},
                               {"rows", built.summary.rows},
                               {"dropped", built.summary.dropped},
                               {"splits", counts_json(built.summary.splits)},
                               {"reasons", counts_json(built.summary.reasons)},
                               {"parquet", !options.no_parquet && duckdb.has_value()}});
  } else if (invocation.globals.quiet) {
    console.line(crypto::digest_hex(built.roots.dataset()));
  } else {
    show_built(console, *options.folder, built);
  }
  if (!duckdb && !options.no_parquet)
    console.note(format("no Parquet: {}; {}", duckdb.error().message, duckdb.error().hint));
  return 0;
}

Result<int> verify(Invocation& invocation, const DataOptions& options) {
  Logs logs = LOAM_TRY(logs_of(invocation, options));
  dataset::VerifyOptions verify_options{logs.keys};
  if (!options.from.empty()) verify_options.sources = std::move(logs.inputs);
  verify_options.threads = dataset::usual_threads();
  const InterruptGuard guard;
  const auto verified =
      LOAM_TRY(dataset::verify(*options.folder, verify_options, RecordProgress(invocation)));
  const bool good = verified.faults.empty();
  Console& console = invocation.console;
  if (invocation.globals.json) {
    codec::Array faults;
    for (const std::string& fault : verified.faults) faults.emplace_back(fault);
    console.json(codec::Object{{"root", crypto::digest_hex(verified.roots.dataset())},
                               {"records", verified.records},
                               {"rows", verified.rows},
                               {"dropped", verified.dropped},
                               {"claims", verified.claims},
                               {"rechecked", verified.rechecked},
                               {"gone", verified.gone},
                               {"faults", std::move(faults)}});
    return good ? 0 : kVerificationFailed;
  }
  for (const std::string& fault : verified.faults) console.line(printable(fault));
  console.line(format("{}: {} from {}, {} left out", good ? "verified" : "DAMAGED",
                      counted(verified.rows, "row"), counted(verified.records, "signed record"),
                      verified.dropped));
  if (verified.rechecked)
    console.line(format("built again from the logs: the same{}",
                        verified.gone == 0
                            ? std::string()
                            : format(", but {} texts are gone since", verified.gone)));
  else if (verified.claims > 0)
    console.line(
        format("{} were left out for reasons that only their texts show; --from checks those too",
               verified.claims));
  console.line("root " + crypto::digest_hex(verified.roots.dataset()));
  return good ? 0 : kVerificationFailed;
}

}  // namespace

Verb data_verb() {
  const auto options = std::make_shared<DataOptions>();
  Verb verb;
  verb.name = "data";
  verb.group = "Open record";
  verb.summary = "Builds data sets from open logs, and verifies them";
  verb.examples = {"loam data build --out set", "loam data verify set"};

  const Argument from = {
      "--from", "URL|DIR", &options->from,
      "A log: where it is served, or a copy of it. Several times for several logs."};
  const Argument key = {"--key", "VKEY", &options->keys,
                        "The key of the log named with --from, in the same order."};

  Verb make;
  make.name = "build";
  make.summary = "Builds a data set: the same query over the same logs gives the same bytes";
  make.details =
      "Reads this node's log, or those named with --from, checks every signature, and writes JSON "
      "lines, "
      "their compressed and Parquet forms, a card, a manifest, and all that is needed to verify it "
      "without a network.\n\nA query compares fields: author, kind, lang, licence, masked, model, "
      "rating, "
      "scope, time, votes, words. `and`, `or`, `not` and brackets join comparisons; `cap N` at the "
      "end "
      "allows N rows of each author. docs/formats/dataset.md has the grammar.";
  make.examples = {"loam data build --out set --where 'rating >= 1 and lang = en'",
                   "loam data build --out set --from https://example.org/log --key 'VKEY'"};
  make.arguments = {
      {"--out", "DIR", &options->folder, "The new folder.", true, Offer::kFiles},
      {"--where", "QUERY", &options->where, "Which records; all if nothing is said."},
      from,
      key,
      {"--height", "N", &options->heights,
       "Of the log named with --from: its first N records only."},
      {"--profile", "NAME", &options->profile,
       "own: people whom you know, all votes count. network: strangers, with caps. Default own."},
      {"--split-seed", "HEX", &options->seed,
       "Draws the splits; from the logs' roots if not given."},
      {"--no-parquet", "", &options->no_parquet, "JSON lines only."}};
  make.run = [options](Invocation& invocation) { return build(invocation, *options); };

  Verb check;
  check.name = "verify";
  check.summary =
      "Proves that a data set follows from signed records; needs no node and no network";
  check.details =
      "The keys of its logs come from you, never from the folder; without --key it is this node's "
      "own. "
      "With --from it builds the data set again from the logs and compares.";
  check.examples = {"loam data verify set", "loam data verify set --key 'VKEY'",
                    "loam data verify set --from https://example.org/log --key 'VKEY'"};
  check.arguments = {
      {"DIR", "", &options->folder, "The data set.", true, Offer::kFiles}, from, key};
  check.run = [options](Invocation& invocation) { return verify(invocation, *options); };
  verb.verbs = {make, check};
  return verb;
}

}  // namespace loam::cli
