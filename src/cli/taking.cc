#include "cli/taking.h"

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/file_hash.h"
#include "cli/background.h"
#include "cli/gating.h"
#include "cli/interrupt.h"
#include "cli/log_source.h"
#include "cli/record_progress.h"
#include "cli/training.h"
#include "dataset/build.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "env/random.h"
#include "release/gate_summary.h"
#include "release/publish.h"

namespace loam::cli {
namespace {

constexpr std::size_t kOffersMax = 100;  // of each log, the newest; chosen
constexpr std::string_view kSource = "published: ";
constexpr std::string_view kPrevious = ":previous";

/// A folder that is gone at the end: the texts of others are kept no longer than the gate runs.
class WorkFolder {
 public:
  static Result<WorkFolder> make(const Invocation& invocation) {
    const env::Path path =
        LOAM_TRY(folders_of(invocation)).cache / "channels" / env::random_id("take-");
    LOAM_TRY(env::make_folder(path));
    return WorkFolder(path);
  }
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    if (!path_.empty()) static_cast<void>(env::remove_tree(path_));
  }
  const env::Path& path() const { return path_; }

 private:
  explicit WorkFolder(env::Path path) : path_(std::move(path)) {}
  env::Path path_;
};

Result<catalog::Model> base_of(catalog::Catalog& catalog, const release::Manifest& manifest) {
  const std::string hash = crypto::digest_hex(manifest.base.sha256);
  auto found = catalog.find(hash);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  return fail(ErrorCode::kNotFound,
              format("take {}: its base, {}, is not here", manifest.name, manifest.base.name),
              manifest.base.source.empty()
                  ? format("get the file with SHA-256 {}, then: loam pull FILE", hash)
                  : format("loam pull {} (its SHA-256 must be {})", manifest.base.source, hash));
}

/// Builds the publication's data set from the logs it names; at their heights then, or now.
Result<dataset::Built> build_set(Invocation& invocation, const Offers& offers,
                                 const dataset::Manifest& manifest, const env::Path& folder,
                                 bool at_heights) {
  dataset::BuildOptions options;
  options.recipe.query = LOAM_TRY(dataset::Query::parse(manifest.query));
  options.recipe.profile = manifest.profile;
  options.recipe.split_seed = manifest.split_seed;
  options.net = manifest.net;
  options.threads = dataset::usual_threads();
  std::vector<std::unique_ptr<ledger::LogSource>> sources;
  for (const dataset::Manifest::Log& log : manifest.logs) {
    const auto channel = std::ranges::find(offers.channels, log.origin, &Channel::origin);
    if (channel == offers.channels.end())
      return fail(ErrorCode::kNotFound,
                  format("its data set has records of {}, which is not followed", log.origin),
                  "loam follow add URL --key VKEY, or accept it on attestations");
    sources.push_back(LOAM_TRY(open_log_at(invocation, "build its data set", channel->url)));
    dataset::LogInput input{.key = LOAM_TRY(crypto::parse_verifier_key(channel->key)),
                            .source = sources.back().get()};
    if (at_heights) input.height = log.height;
    options.logs.push_back(std::move(input));
  }
  const InterruptGuard guard;
  auto built = dataset::build(folder, std::move(options), RecordProgress(invocation));
  invocation.console.progress("");
  return built;
}

std::vector<std::string> keys_of(const Offers& offers) {
  std::vector<std::string> out;
  for (const Channel& channel : offers.channels) out.push_back(channel.key);
  return out;
}

/// Gates the candidate with the publication's own data set and what came after it.
Result<gate::Report> gate_here(Invocation& invocation, const Offers& offers,
                               const release::Examined& examined, const std::string& candidate,
                               const env::Path& folder) {
  const env::Path trained = folder / "set", newer = folder / "newer";
  const auto set = LOAM_TRY(build_set(invocation, offers, examined.data_set, trained, true));
  if (set.roots.dataset() != examined.manifest.data_set.roots.dataset())
    return fail(ErrorCode::kCorrupt,
                format("its data set, built again, has root {} and not {}",
                       crypto::digest_hex(set.roots.dataset()),
                       crypto::digest_hex(examined.manifest.data_set.roots.dataset())),
                "texts may have been withdrawn since; it can be accepted on attestations");
  static_cast<void>(LOAM_TRY(build_set(invocation, offers, examined.data_set, newer, false)));
  GateOrder order;
  order.adapter = candidate;
  order.data = trained.string();
  order.newer = newer.string();
  order.profile = std::string(dataset::profile_name(examined.data_set.profile));
  order.keys = keys_of(offers);
  return LOAM_TRY(run_gate(invocation, order)).report;
}

/// Whether whoever the policy names attested "pass", as its latest word.
std::uint64_t attestations_of(const Published& published, const ledger::RecordId& id,
                              const release::ChannelPolicy& policy) {
  std::map<crypto::PublicKey, bool> words;
  for (const auto& [author, attestation] : published.attestations(id))
    if (std::ranges::find(policy.attestors, author) != policy.attestors.end())
      words[author] = attestation.verdict == ledger::Attested::kPass;
  return static_cast<std::uint64_t>(
      std::ranges::count_if(words, [](const auto& word) { return word.second; }));
}

Result<> attest_here(const Invocation& invocation, const ledger::RecordId& id,
                     const gate::Report& report) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  static_cast<void>(LOAM_TRY(client.post(
      "/loam/v1/attestations",
      codec::Object{{"publication", to_text(id)}, {"report", gate::report_text(report)}})));
  return {};
}

/// The publication's files, if nothing is wrong with it or anything that it descends from.
Result<release::Examined> verified(Invocation& invocation, const Offers& offers,
                                   const FoundPublication& one) {
  release::Archive& archive = offers.published->archive();
  const InterruptGuard guard;
  invocation.console.progress("verifying its lineage ...");
  const release::WalkOptions options{.read_gate = release::gate_summary,
                                     .threads = dataset::usual_threads()};
  auto lineage = release::walk(archive, one.id, options);
  invocation.console.progress("");
  if (!lineage) return std::unexpected(lineage.error());
  if (!lineage->faults.empty())
    return fail(ErrorCode::kCorrupt, printable(lineage->faults.front()),
                format("loam model lineage {} lists all that is wrong", to_text(one.id)));
  return *std::move(lineage->examined);  // without faults its manifest was read
}

/// Makes the adapter a model under a name of its own, which nobody asks for yet.
Result<catalog::Model> add_candidate(catalog::Catalog& catalog, const Offers& offers,
                                     const FoundPublication& one, const release::Examined& examined,
                                     const env::Path& folder) {
  const release::Manifest::File& file = examined.manifest.file(release::kAdapterFile);
  const auto base = LOAM_TRY(base_of(catalog, examined.manifest));
  const std::string bytes =
      LOAM_TRY(release::read_blob(offers.published->archive().blobs(), file.sha256,
                                  release::file_bytes_max(release::kAdapterFile)));
  const env::Path path = folder / "adapter.gguf";
  LOAM_TRY(env::write_file_atomic(path, bytes));
  return catalog.add_adapter("candidate-" + crypto::digest_hex(file.sha256).substr(0, 16), base,
                             path, file.sha256, std::string(kSource) + to_text(one.id));
}

/// Has `candidate` answer under `name`; what answered there from a channel before is kept beside.
Result<Taken> settle(catalog::Catalog& catalog, const catalog::Model& candidate,
                     const std::string& name) {
  Taken out;
  const auto there = catalog.find(name);
  if (there && !(there->adapter && there->source.starts_with(kSource)))
    return fail(ErrorCode::kAlreadyExists, format("{} is the name of another model", name),
                "choose another name with --name");
  if (there) {
    static_cast<void>(LOAM_TRY(catalog.copy(name, name + std::string(kPrevious))));
    out.replaced = true;
  }
  out.model = LOAM_TRY(catalog.copy(candidate.name, name));
  return out;
}

Result<Taken> judge_and_settle(Invocation& invocation, const Offers& offers,
                               const FoundPublication& one, const std::string& name, bool attest) {
  const Channel* const channel = offers.channel_of(one);
  const release::ChannelPolicy policy =
      channel == nullptr ? release::ChannelPolicy{} : channel->policy;
  const auto examined = LOAM_TRY(verified(invocation, offers, one));
  const WorkFolder folder = LOAM_TRY(WorkFolder::make(invocation));
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const auto candidate = LOAM_TRY(add_candidate(*catalog, offers, one, examined, folder.path()));
  auto judged = [&]() -> Result<Taken> {
    std::optional<gate::Report> report;
    const std::uint64_t attested = attestations_of(*offers.published, one.id, policy);
    if (policy.attestations == 0) {
      report = LOAM_TRY(gate_here(invocation, offers, examined, candidate.name, folder.path()));
      if (attest) LOAM_TRY(attest_here(invocation, one.id, *report));
      if (const auto verdict = report->verdict(); verdict.outcome != gate::Outcome::kPass)
        return fail(ErrorCode::kPermissionDenied,
                    format("the gate here says {}", gate::outcome_name(verdict.outcome)),
                    format("loam gate show {}",
                           LOAM_TRY(gate_report_file(invocation, report->adapter)).string()));
    } else if (attested < policy.attestations) {
      return fail(ErrorCode::kPermissionDenied,
                  format("{} of the listed keys attest that it passed, and {} are wanted", attested,
                         policy.attestations),
                  "loam channel set LOG --attested 0 has the gate run here");
    }
    Taken out = LOAM_TRY(settle(*catalog, candidate, name));
    out.report = std::move(report);
    out.attestations = attested;
    return out;
  }();
  LOAM_TRY(catalog->remove(candidate.name));
  return judged;
}

}  // namespace

Result<release::ChannelBook> channel_book(const Invocation& invocation) {
  return release::ChannelBook(LOAM_TRY(folders_of(invocation)).data / "channels");
}

Result<std::vector<Channel>> read_channels(const Invocation& invocation) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply = LOAM_TRY(client.get("/loam/v1/follow"));
  const auto book = LOAM_TRY(channel_book(invocation));
  const auto content = LOAM_TRY(book.read());
  std::vector<Channel> out;
  for (const codec::Value* log : items_at(reply, "logs")) {
    Channel one{.id = text_at(*log, "id"),
                .url = text_at(*log, "url"),
                .key = text_at(*log, "key"),
                .origin = text_at(*log, "origin"),
                .policy = {}};
    if (const auto policy = content.policies.find(one.id); policy != content.policies.end())
      one.policy = policy->second;
    out.push_back(std::move(one));
  }
  return out;
}

Result<Channel> find_channel(const std::vector<Channel>& channels, const std::string& id) {
  std::vector<Channel> found;
  for (const Channel& one : channels)
    if (one.id.starts_with(id) || one.url == id) found.push_back(one);
  if (found.size() == 1) return found.front();
  return fail(found.empty() ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument,
              format("channel {}: {}", id,
                     found.empty() ? "no such log is followed" : "several logs begin so"),
              "loam follow ls");
}

const Channel* Offers::channel_of(const FoundPublication& one) const {
  const auto of_log = std::ranges::find(channels, one.log, &Channel::origin);
  return of_log == channels.end() ? nullptr : &*of_log;
}

Result<Offers> read_offers(Invocation& invocation) {
  Offers out;
  out.channels = LOAM_TRY(read_channels(invocation));
  NamedLogs logs;
  for (const Channel& channel : out.channels) {
    logs.from.push_back(channel.url);
    logs.keys.push_back(channel.key);
  }
  out.published = LOAM_TRY(Published::open(invocation, logs));
  invocation.console.progress("");
  std::map<const Channel*, std::size_t> offered;  // each by itself: none crowds another out
  for (FoundPublication& one : out.published->list()) {
    const Channel* const channel = out.channel_of(one);
    if (channel != nullptr && offered[channel]++ < kOffersMax) out.found.push_back(std::move(one));
  }
  return out;
}

Result<Taken> take(Invocation& invocation, const Offers& offers, const FoundPublication& one,
                   const std::optional<std::string>& wanted, bool attest) {
  const auto book = LOAM_TRY(channel_book(invocation));
  const env::FileLock alone = LOAM_TRY(book.lock());
  const std::string name = LOAM_TRY(catalog::checked_name(wanted.value_or(one.payload.name)));
  const auto decide = [&](release::Decision::State state, std::string why) {
    return book.decide(one.id, {state, name, std::move(why), invocation.clock.wall_ms()});
  };
  if (one.withdrawn)
    return fail(ErrorCode::kPermissionDenied, format("take {}: it was withdrawn", name));
  auto taken = judge_and_settle(invocation, offers, one, name, attest);
  if (!taken) {
    Error error = taken.error();
    error.message = format("take {}: {}", name, error.message);
    // What may be there tomorrow is tried again.
    if (error.code != ErrorCode::kCancelled && error.code != ErrorCode::kUnavailable &&
        error.code != ErrorCode::kNotFound)
      LOAM_TRY(decide(release::Decision::State::kRefused, error.message));
    return std::unexpected(std::move(error));
  }
  taken->adapter_of = to_text(one.id);
  LOAM_TRY(decide(release::Decision::State::kTaken,
                  taken->report ? "the gate here says pass"
                                : format("{} attest that it passed", taken->attestations)));
  return taken;
}

Result<RolledBack> roll_back(Invocation& invocation, const std::string& name,
                             const std::string& why) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const auto book = LOAM_TRY(channel_book(invocation));
  const env::FileLock alone = LOAM_TRY(book.lock());
  const auto model = LOAM_TRY(catalog->find(name));
  if (!model.source.starts_with(kSource))
    return fail(ErrorCode::kInvalidArgument,
                format("rollback {}: it was not taken from a channel", model.name),
                format("loam rm {} removes it", model.name));
  RolledBack out{model.name, std::nullopt};
  const std::string previous = model.name + std::string(kPrevious);
  if (catalog->find(previous)) {
    out.to = LOAM_TRY(catalog->copy(previous, model.name));
    LOAM_TRY(catalog->remove(previous));
  } else {
    LOAM_TRY(catalog->remove(model.name));
  }
  const auto publication = ledger::parse_record_id(model.source.substr(kSource.size()));
  if (publication)
    LOAM_TRY(book.decide(*publication, {release::Decision::State::kRolledBack, model.name, why,
                                        invocation.clock.wall_ms()}));
  return out;
}

}  // namespace loam::cli
