#include "cli/replaying.h"

#include "base/format.h"
#include "cli/background.h"
#include "cli/interrupt.h"
#include "cli/own_log.h"
#include "cli/taking.h"
#include "codec/json.h"
#include "codec/members.h"
#include "commons/copies.h"
#include "dataset/layout.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "release/gate_summary.h"
#include "release/publish.h"

namespace loam::cli {
namespace {

/// A report and what is known of it.
struct Original {
  GateOrder::Repeated repeated;
  std::optional<ledger::RecordId> publication = {};
  std::optional<tuning::Recipe> recipe = {};
  std::vector<std::string> keys = {};
};

Result<GateOrder::Repeated> read_text(std::string_view text, const std::string& from) {
  auto report = gate::parse_report(text);
  if (!report)
    return fail(report.error().code, format("{}: {}", from, report.error().message),
                report.error().hint);
  return GateOrder::Repeated{*std::move(report), crypto::sha256(as_bytes(text))};
}

/// What the publication names, if nothing is wrong with it or anything that it descends from.
Result<Original> original_of_publication(Invocation& invocation, const std::string& what) {
  const Offers offers = LOAM_TRY(read_offers(invocation));
  Original out;
  out.publication = LOAM_TRY(offers.published->find(invocation, what));
  release::Archive& archive = offers.published->archive();
  const InterruptGuard guard;
  invocation.console.progress("verifying its lineage ...");
  const release::WalkOptions options{.read_gate = release::gate_summary,
                                     .threads = dataset::usual_threads()};
  const auto lineage = release::walk(archive, *out.publication, options);
  invocation.console.progress("");
  if (!lineage) return std::unexpected(lineage.error());
  if (!lineage->faults.empty())
    return fail(ErrorCode::kCorrupt, printable(lineage->faults.front()),
                format("loam model lineage {} lists all that is wrong", to_text(*out.publication)));
  const release::Manifest& manifest = lineage->examined->manifest;
  const auto text_of = [&](std::string_view name) {
    return release::read_blob(archive.blobs(), manifest.file(name).sha256,
                              release::file_bytes_max(name));
  };
  const std::string report = LOAM_TRY(text_of(release::kGateFile));
  out.repeated = LOAM_TRY(read_text(report, what));
  const std::string recipe = LOAM_TRY(text_of(release::kRecipeFile));
  out.recipe = LOAM_TRY(tuning::parse_recipe(recipe, release::kRecipeFile));
  for (const Channel& channel : offers.channels) out.keys.push_back(channel.key);
  if (const auto own = open_own_log(invocation)) out.keys.push_back(own->key.text());
  return out;
}

Result<Original> find_original(Invocation& invocation, const ReplayOrder& order) {
  const env::Path file = order.what;
  if (!env::is_plain_file(file) && file.extension() != ".json")
    return original_of_publication(invocation, order.what);
  if (order.attest)
    return fail(ErrorCode::kInvalidArgument,
                format("replay {}: an attestation is about a publication", order.what),
                "name the publication in place of its report (loam model ls)");
  const std::string text = LOAM_TRY(env::read_file(file, gate::kReportBytesMax));
  return Original{.repeated = LOAM_TRY(read_text(text, order.what))};
}

/// The data set with this root, if one of those that were built on this machine is it. Its files
/// are verified later.
Result<std::optional<std::string>> find_set(const Invocation& invocation,
                                            const crypto::Digest& root) {
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  for (const env::Path& folder : LOAM_TRY(commons::Copies::of(folders).list())) {
    constexpr std::uint64_t kRootBytesMax = 4096;
    const auto text = env::read_file(folder / dataset::kRootFile, kRootBytesMax);
    const auto value = text ? codec::parse_json(*text, {.bytes_max = kRootBytesMax})
                            : std::unexpected(text.error());
    if (value && codec::text_at(*value, "dataset_root") == crypto::digest_hex(root))
      return folder.string();
  }
  return std::nullopt;
}

}  // namespace

Result<Replayed> replay_gate(Invocation& invocation, const ReplayOrder& order) {
  Original original = LOAM_TRY(find_original(invocation, order));
  const gate::Report& first = original.repeated.report;
  GateOrder again;
  again.adapter = crypto::digest_hex(first.adapter);
  again.data = order.data ? order.data : LOAM_TRY(find_set(invocation, first.data_set));
  again.newer = order.newer;
  if (!again.newer && first.newer) again.newer = LOAM_TRY(find_set(invocation, *first.newer));
  again.keys = order.keys.empty() ? original.keys : order.keys;
  again.recipe = std::move(original.recipe);
  again.repeated = original.repeated;
  Replayed out{.first = first, .run = LOAM_TRY(run_gate(invocation, again)), .attestation = {}};
  if (!order.attest) return out;
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const codec::Value reply = LOAM_TRY(client.post(
      "/loam/v1/attestations", codec::Object{{"publication", to_text(*original.publication)},
                                             {"report", gate::report_text(out.run.report)}}));
  out.attestation = codec::text_at(reply, "record");
  return out;
}

}  // namespace loam::cli
