#include "cli/taking.h"

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/file_hash.h"
#include "cli/background.h"
#include "cli/gating.h"
#include "cli/interrupt.h"
#include "cli/record_progress.h"
#include "cli/table.h"
#include "cli/training.h"
#include "commons/follow.h"
#include "dataset/build.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "env/random.h"
#include "release/gate_summary.h"
#include "release/leftovers.h"
#include "release/publish.h"
#include "release/rollouts.h"
#include "release/take_up.h"
#include "release/taken.h"

namespace loam::cli {
namespace {

constexpr std::size_t kOffersMax = 100;  // of each log, the newest; chosen

/// A folder that is gone at the end: the texts of others are kept no longer than the gate runs.
class WorkFolder {
 public:
  static Result<WorkFolder> make(const Invocation& invocation) {
    const env::Path path = release::new_take_folder(LOAM_TRY(folders_of(invocation)).cache);
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
  if (found) {
    // A damaged file of this machine is no fault of the publication.
    const auto file = catalog.open_verified(*found);
    if (file) return found;
    return fail(ErrorCode::kUnavailable, file.error().message, file.error().hint);
  }
  if (found.error().code != ErrorCode::kNotFound) return found;
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
    const auto key = LOAM_TRY(crypto::parse_verifier_key(channel->key));
    sources.push_back(LOAM_TRY(named_log(invocation, channel->url, key)));
    dataset::LogInput input{.key = key, .source = sources.back().get()};
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

Result<tuning::Recipe> recipe_of(const Offers& offers, const release::Manifest& manifest) {
  const std::string text = LOAM_TRY(release::read_blob(
      offers.published->archive().blobs(), manifest.file(release::kRecipeFile).sha256,
      release::file_bytes_max(release::kRecipeFile)));
  return tuning::parse_recipe(text, release::kRecipeFile);
}

/// What the gate will draw its slice with.
struct CommittedNonce {
  gate::Nonce nonce{};
  std::string record;  // of this node's log, that holds its hash
};

/// Texts that are gone say nothing against a publication, and so it is not refused for them.
std::unexpected<Error> cannot_be_built(std::uint64_t retracted, std::string_view whose) {
  return fail(ErrorCode::kNotFound,
              format("{} of {} were retracted since: its data set cannot be built again here",
                     counted(retracted, "record"), whose),
              "only attestations by keys that you list can decide: loam channel set LOG --attestor "
              "KEY --attested N");
}

std::unexpected<Error> another_set(const Published& published, const dataset::Built& built,
                                   const release::Examined& examined) {
  if (const auto retracted = published.retracted_since(examined.data_set); retracted > 0)
    return cannot_be_built(retracted, "its logs");
  return fail(ErrorCode::kCorrupt,
              format("its data set, built again, has root {} and not {}",
                     crypto::digest_hex(built.roots.dataset()),
                     crypto::digest_hex(examined.manifest.data_set.roots.dataset())));
}

/// Gates the candidate with the publication's own data set and what came after it.
Result<gate::Report> gate_here(Invocation& invocation, const Offers& offers,
                               const release::Examined& examined, const std::string& candidate,
                               const std::optional<CommittedNonce>& committed,
                               const env::Path& folder) {
  const env::Path trained = folder / "set", newer = folder / "newer";
  const auto set = LOAM_TRY(build_set(invocation, offers, examined.data_set, trained, true));
  if (set.roots.dataset() != examined.manifest.data_set.roots.dataset())
    return another_set(*offers.published, set, examined);
  static_cast<void>(LOAM_TRY(build_set(invocation, offers, examined.data_set, newer, false)));
  GateOrder order;
  order.adapter = candidate;
  order.data = trained.string();
  order.newer = newer.string();
  order.profile = std::string(dataset::profile_name(examined.data_set.profile));
  order.keys = keys_of(offers);
  order.recipe = LOAM_TRY(recipe_of(offers, examined.manifest));
  if (committed) order.nonce = committed->nonce;
  return LOAM_TRY(run_gate(invocation, order)).report;
}

struct Counted {
  std::uint64_t passed = 0;  // so many keys
  std::string doubt;         // why one that says "pass" does not count, if there is one
};

/// Which keys of the policy attest "pass" as their latest word. What does not count may take back
/// what its author said before, and no more.
Counted count_attestations(const Published& published, const ledger::RecordId& id,
                           const release::ChannelPolicy& policy) {
  Counted out;
  std::map<crypto::PublicKey, bool> words;
  const release::Attestations all = published.attestations(id);
  for (const release::FoundAttestation& one : all.found) {
    if (std::ranges::find(policy.attestors, one.author) == policy.attestors.end()) continue;
    const bool passed = one.payload.verdict == ledger::Attested::kPass;
    if (one.doubt.empty() || !passed)
      words[one.author] = passed;
    else
      out.doubt = format("{} does not count: {}", to_text(one.id), one.doubt);
  }
  out.passed = static_cast<std::uint64_t>(
      std::ranges::count_if(words, [](const auto& word) { return word.second; }));
  return out;
}

/// Where the nonce lies that was drawn for a publication and not attested with yet. What was cut
/// short goes on with it: nobody draws twice, and no log grows because a base is missing.
Result<env::Path> nonce_file(const Invocation& invocation, const ledger::RecordId& id) {
  return LOAM_TRY(folders_of(invocation)).data / "channels" / ("nonce-" + to_text(id));
}

Result<gate::Nonce> draw_nonce(const env::Path& file) {
  if (env::stamp(file)) {
    const auto known =
        crypto::parse_digest(LOAM_TRY(env::read_file(file, 2 * sizeof(gate::Nonce))));
    if (known) return *known;
    return fail(ErrorCode::kCorrupt, format("{}: it holds no nonce", file.string()),
                "delete it, and another one is drawn");
  }
  gate::Nonce out{};
  env::random_bytes(out);
  LOAM_TRY(env::write_file_atomic(file, crypto::digest_hex(out), 0600));
  return out;
}

Result<CommittedNonce> commit_nonce(const Invocation& invocation, const ledger::RecordId& id) {
  CommittedNonce out;
  const env::Path file = LOAM_TRY(nonce_file(invocation, id));
  out.nonce = LOAM_TRY(draw_nonce(file));
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply = LOAM_TRY(
      client.post("/loam/v1/commitments",
                  codec::Object{{"publication", to_text(id)},
                                {"hash", crypto::digest_hex(ledger::nonce_hash(out.nonce))}}));
  out.record = text_at(reply, "record");
  return out;
}

Result<> attest_here(const Invocation& invocation, const ledger::RecordId& id,
                     const std::string& commitment, const gate::Report& report) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  static_cast<void>(LOAM_TRY(
      client.post("/loam/v1/attestations", codec::Object{{"publication", to_text(id)},
                                                         {"report", gate::report_text(report)},
                                                         {"commitment", commitment}})));
  const env::Path file = LOAM_TRY(nonce_file(invocation, id));
  return env::remove_file(file);
}

/// The publication with its files, if nothing is wrong with it or anything that it descends from.
Result<release::Lineage> verified(Invocation& invocation, const Offers& offers,
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
  return lineage;
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
  return catalog.add_adapter(release::candidate_name(file.sha256), base, path, file.sha256,
                             release::source_of(one.id));
}

release::ChannelPolicy policy_of(const Offers& offers, const FoundPublication& one) {
  const Channel* const channel = offers.channel_of(one);
  return channel == nullptr ? release::ChannelPolicy{} : channel->policy;
}

/// Else it is found after the gate's minutes that a name is another model's.
Result<> check_names(const Invocation& invocation, const TakeOrder& order) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const auto there = LOAM_TRY(release::find_taken(*catalog, order.name));
  if (there && order.on_trial)
    static_cast<void>(LOAM_TRY(release::find_taken(*catalog, release::next_name(order.name))));
  return {};
}

/// `committed`: what the gate draws with, if what it says is to be attested.
Result<Taken> judge_and_settle(Invocation& invocation, const Offers& offers,
                               const FoundPublication& one, const TakeOrder& order,
                               const std::optional<CommittedNonce>& committed,
                               const release::ChannelBook& book) {
  const release::ChannelPolicy policy = policy_of(offers, one);
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  LOAM_TRY(release::remove_takes(folders.cache, *catalog));  // of those that were killed
  const release::Lineage lineage = LOAM_TRY(verified(invocation, offers, one));
  const release::Examined& examined = *lineage.examined;  // without faults its manifest was read
  if (policy.attestations == 0 && lineage.texts_retracted > 0)
    return cannot_be_built(lineage.texts_retracted, "its data set");
  const WorkFolder folder = LOAM_TRY(WorkFolder::make(invocation));
  const auto candidate = LOAM_TRY(add_candidate(*catalog, offers, one, examined, folder.path()));
  auto judged = [&]() -> Result<Taken> {
    std::optional<gate::Report> report;
    const Counted attested = count_attestations(*offers.published, one.id, policy);
    if (policy.attestations == 0) {
      report = LOAM_TRY(
          gate_here(invocation, offers, examined, candidate.name, committed, folder.path()));
      if (committed) LOAM_TRY(attest_here(invocation, one.id, committed->record, *report));
      if (const auto verdict = report->verdict(); verdict.outcome != gate::Outcome::kPass)
        return fail(ErrorCode::kPermissionDenied,
                    format("the gate here says {}", gate::outcome_name(verdict.outcome)),
                    format("loam gate show {}",
                           LOAM_TRY(gate_report_file(invocation, report->adapter)).string()));
    } else if (attested.passed < policy.attestations) {
      return fail(ErrorCode::kPermissionDenied,
                  format("{} of the listed keys attest that it passed, and {} are wanted{}{}",
                         attested.passed, policy.attestations, attested.doubt.empty() ? "" : "; ",
                         attested.doubt),
                  "loam channel set LOG --attested 0 has the gate run here");
    }
    release::TakenUp up = LOAM_TRY(
        release::take_up(*catalog, book,
                         {.candidate = candidate.name,
                          .publication = one.id,
                          .name = order.name,
                          .on_trial = order.on_trial,
                          .why = report ? "the gate here says pass"
                                        : format("{} attest that it passed", attested.passed),
                          .now_ms = invocation.clock.wall_ms()}));
    return Taken{.model = std::move(up.model),
                 .adapter_of = to_text(one.id),
                 .report = std::move(report),
                 .attestations = attested.passed,
                 .replaced = up.replaced,
                 .on_trial = up.on_trial};
  }();
  // What was decided stays decided.
  if (const auto removed = catalog->remove(candidate.name); !removed)
    invocation.console.warn(printable(removed.error().message));
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
                .trouble = {},
                .policy = {}};
    if (text_at(*log, "state") == commons::state_name(commons::FollowState::kRefused))
      one.trouble = text_at(*log, "trouble");
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
  NamedLogs logs{.from = {}, .keys = {}, .if_unreadable = IfUnreadable::kSkip};
  for (Channel& channel : LOAM_TRY(read_channels(invocation))) {
    if (!channel.trouble.empty()) {
      invocation.console.warn(
          printable(format("channel {} is left out: {}", channel.id, channel.trouble)));
      out.unread.emplace_back(channel, channel.trouble);
      continue;
    }
    logs.from.push_back(channel.url);
    logs.keys.push_back(channel.key);
    out.channels.push_back(std::move(channel));
  }
  out.published = LOAM_TRY(Published::open(invocation, logs));
  invocation.console.progress("");
  for (const UnreadLog& log : out.published->unread())
    if (const auto of = std::ranges::find(out.channels, log.from, &Channel::url);
        of != out.channels.end())
      out.unread.emplace_back(*of, log.why.message);
  std::map<const Channel*, std::size_t> offered;  // each by itself: none crowds another out
  for (FoundPublication& one : out.published->list()) {
    const Channel* const channel = out.channel_of(one);
    if (channel != nullptr && offered[channel]++ < kOffersMax) out.found.push_back(std::move(one));
  }
  return out;
}

Result<Taken> take(Invocation& invocation, const Offers& offers, const FoundPublication& one,
                   TakeOrder order) {
  const auto book = LOAM_TRY(channel_book(invocation));
  const env::FileLock alone = LOAM_TRY(book.lock());
  order.name = LOAM_TRY(catalog::checked_name(order.name.empty() ? one.payload.name : order.name));
  const std::string& name = order.name;
  if (one.withdrawn)
    return fail(ErrorCode::kPermissionDenied, format("take {}: it was withdrawn", name));
  // Before a nonce is drawn. It is no fault of the publication, and so nothing is written down.
  LOAM_TRY(check_names(invocation, order));
  // Before anything of it is fetched, so that what draws the slice does not depend on what it is.
  std::optional<CommittedNonce> committed;
  if (order.attest && policy_of(offers, one).attestations == 0)
    committed = LOAM_TRY(commit_nonce(invocation, one.id));
  auto taken = judge_and_settle(invocation, offers, one, order, committed, book);
  if (!taken) {
    Error error = taken.error();
    error.message = format("take {}: {}", name, error.message);
    // What may be there tomorrow is tried again, and a name may be free then.
    if (!release::may_pass(error.code) && error.code != ErrorCode::kNotFound &&
        error.code != ErrorCode::kAlreadyExists)
      LOAM_TRY(book.decide(one.id, {release::Decision::State::kRefused, name, error.message,
                                    invocation.clock.wall_ms()}));
    return std::unexpected(std::move(error));
  }
  return taken;
}

Result<RolledBack> roll_back(Invocation& invocation, const std::string& name,
                             const std::string& why) {
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  const auto book = LOAM_TRY(channel_book(invocation));
  const auto model = LOAM_TRY(catalog->find(name));
  return RolledBack{model.name, LOAM_TRY(release::give_up(*catalog, book, model.name, why,
                                                          invocation.clock.wall_ms()))};
}

}  // namespace loam::cli
