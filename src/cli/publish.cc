// publish: a trained adapter with all that it was made of, for anybody.
#include <algorithm>
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/file_hash.h"
#include "cli/background.h"
#include "cli/gating.h"
#include "cli/interrupt.h"
#include "cli/own_log.h"
#include "cli/record_progress.h"
#include "cli/training.h"
#include "cli/verbs.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "env/random.h"
#include "release/gate_summary.h"
#include "release/leftovers.h"
#include "release/publish.h"
#include "tuning/work.h"

namespace loam::cli {
namespace {

struct PublishOptions {
  std::optional<std::string> job, gate, data;
  std::vector<std::string> parents, keys;
};

/// A training by its id, or the newest that succeeded under the name.
Result<tuning::JobFolder> job_of(const env::Path& jobs, const std::string& what) {
  auto by_id = tuning::JobFolder::open(jobs, what);
  if (by_id || by_id.error().code != ErrorCode::kNotFound) return by_id;
  for (tuning::JobFolder& job : LOAM_TRY(tuning::JobFolder::list(jobs))) {
    const auto state = job.state();
    if (job.spec().name == what && state && state->status == tuning::JobStatus::kSucceeded)
      return std::move(job);
  }
  return fail(ErrorCode::kNotFound,
              format("publish {}: no training that is done is called so", what), "loam train ls");
}

/// The text of the gate's report on the job.
Result<std::string> gate_report(const Invocation& invocation, const tuning::JobFolder& job,
                                const PublishOptions& options) {
  const auto adapter = LOAM_TRY(catalog::hash_file(job.result() / "adapter.gguf"));
  const env::Path file = options.gate ? env::Path(*options.gate)
                                      : LOAM_TRY(gate_report_file(invocation, adapter.sha256));
  auto text = env::read_file(file, release::file_bytes_max(release::kGateFile));
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound,
                format("publish {}: no gate has looked at it: {} is not there", job.spec().id,
                       file.string()),
                format("loam gate run {}", job.spec().id));
  return text;
}

Result<std::vector<crypto::VerifierKey>> keys_of(const Invocation& invocation,
                                                 const PublishOptions& options) {
  std::vector<crypto::VerifierKey> out;
  for (const std::string& text : options.keys)
    out.push_back(LOAM_TRY(crypto::parse_verifier_key(text)));
  if (out.empty()) out.push_back(LOAM_TRY(open_own_log(invocation)).key);
  return out;
}

/// Stages the files in a folder of the node's own, and has the node publish them.
Result<codec::Value> publish_job(Invocation& invocation, const NodeClient& client,
                                 const release::PublishOrder& order) {
  const env::Path data = LOAM_TRY(folders_of(invocation)).data;
  const std::string id = env::random_id("pub-");
  const env::Path folder = LOAM_TRY(release::staging_folder(data, id));
  const env::FileLock held = LOAM_TRY(release::lock_staging(folder));
  const InterruptGuard guard;
  auto done = [&]() -> Result<codec::Value> {
    const auto manifest = LOAM_TRY(release::stage(order, folder, RecordProgress(invocation)));
    return client.post("/loam/v1/publications",
                       codec::Object{{"staged", id}, {"manifest", crypto::digest_hex(manifest)}});
  }();
  invocation.console.progress("");
  LOAM_TRY(release::remove_staged(folder));
  return done;
}

void show(Console& console, const codec::Value& published) {
  console.line(
      format("published {}: {}", text_at(published, "name"), text_at(published, "record")));
  for (const auto& [name, member] : {std::pair{"licence", "licence"},
                                     {"adapter", "adapter"},
                                     {"manifest", "manifest"},
                                     {"proofs", "proofs"}})
    console.line(format("  {:<9}{}", name, text_at(published, member)));
  console.note(format("`loam model lineage {}` walks it", text_at(published, "record")));
}

Result<int> publish(Invocation& invocation, const PublishOptions& options) {
  const env::Path data = LOAM_TRY(folders_of(invocation)).data;
  const tuning::JobFolder job = LOAM_TRY(job_of(tuning::jobs_folder(data), *options.job));
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const catalog::Model base = LOAM_TRY(tuning::find_base(*catalog, job.spec()));
  const auto keys = LOAM_TRY(keys_of(invocation, options));
  const std::string report = LOAM_TRY(gate_report(invocation, job, options));
  release::PublishOrder order{
      .job = job,
      .base = base,
      .data_set = options.data ? env::Path(*options.data) : job.spec().data_set,
      .keys = keys,
      .gate_report = report,
      .read_gate = release::gate_summary,
      .threads = dataset::usual_threads()};
  for (const std::string& parent : options.parents)
    order.parents.push_back(LOAM_TRY(ledger::parse_record_id(parent)));
  if (!LOAM_TRY(invocation.console.ask(
          format("Publish {}, its recipe, log and gate report, and the signed headers of the "
                 "records it learned from, for anybody and for ever?",
                 job.spec().name))))
    return fail(ErrorCode::kCancelled, "publish: nothing was published");
  const NodeClient client(LOAM_TRY(ensure_node(invocation)), InterruptGuard::interrupted);
  const codec::Value published = LOAM_TRY(publish_job(invocation, client, order));
  Console& console = invocation.console;
  if (invocation.globals.json)
    console.json(published);
  else if (invocation.globals.quiet)
    console.line(text_at(published, "record"));
  else
    show(console, published);
  return 0;
}

}  // namespace

Verb publish_verb() {
  const auto options = std::make_shared<PublishOptions>();
  Verb verb;
  verb.name = "publish";
  verb.group = "Training";
  verb.summary = "Publishes a trained adapter with all that it was made of";
  verb.details =
      "Checks the training, its data set and the gate's report once more, makes proofs of every "
      "record that was used, puts the files under /blob/ and a record into the log that names "
      "them. The licence is that of the most restrictive part; what may not be combined is "
      "refused. No text of a record is published. A candidate that lost may be published too: the "
      "verdict stands in it.";
  verb.examples = {"loam publish ftjob-...", "loam publish sailor --gate report.json"};
  verb.arguments = {
      {"JOB", "", &options->job, "An ID of `loam train ls`, or the adapter's name.", true},
      {"--gate", "FILE", &options->gate,
       "The gate's report; the newest of `loam gate run` if not given.", false, Offer::kFiles},
      {"--parent", "RECORD", &options->parents,
       "A publication of this log that it descends from; may be repeated."},
      {"--data", "DIR", &options->data, "The data set, if it was moved.", false, Offer::kFiles},
      {"--key", "VKEY", &options->keys,
       "The key of a log in the data set; this node's own if not given."}};
  verb.run = [options](Invocation& invocation) { return publish(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
