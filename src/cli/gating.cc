#include "cli/gating.h"

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/file_hash.h"
#include "catalog/finite.h"
#include "cli/interrupt.h"
#include "cli/training.h"
#include "cli/verified_set.h"
#include "dataset/layout.h"
#include "engine/cpu_class.h"
#include "env/file.h"
#include "env/random.h"
#include "gate/measure.h"
#include "node/machine.h"
#include "pool/memory_plan.h"
#include "tuning/canaries.h"
#include "tuning/work.h"

namespace loam::cli {
namespace {

constexpr std::int64_t kLoadTimeoutMs = 120'000;

/// What is to be measured.
struct Candidate {
  catalog::Model base;
  env::Path adapter;
  crypto::Digest adapter_sha256{};
  std::optional<std::string> data;  // that it learned from, as far as is known here
  std::vector<tuning::Canary> canaries;
  bool trained_here = false;
};

/// Fills in what the training that made it knows.
void add_training(const tuning::JobSpec& spec, Candidate& out) {
  if (!spec.private_source) out.data = spec.data_set.string();
  out.canaries = tuning::canaries_of(spec.recipe, spec.source());
  out.trained_here = true;
}

/// The training whose adapter has this hash.
Result<std::optional<tuning::JobFolder>> training_of(const env::Path& data,
                                                     const crypto::Digest& adapter) {
  for (tuning::JobFolder& job : LOAM_TRY(tuning::JobFolder::list(tuning::jobs_folder(data)))) {
    const auto found = catalog::hash_file(job.result() / "adapter.gguf");
    if (found && found->sha256 == adapter) return std::optional(std::move(job));
  }
  return std::nullopt;
}

Result<Candidate> candidate_of_job(catalog::Catalog& catalog, const tuning::JobFolder& job) {
  const tuning::JobState state = LOAM_TRY(job.state());
  if (state.status != tuning::JobStatus::kSucceeded)
    return fail(ErrorCode::kInvalidArgument,
                format("gate {}: it is {}, and has no adapter", job.spec().id,
                       tuning::job_status_name(state.status)),
                format("loam train show {}", job.spec().id));
  if (job.spec().recipe.full)
    return fail(
        ErrorCode::kUnsupported,
        format("gate {}: it is a whole model, and the gate compares an adapter with its base",
               job.spec().id));
  Candidate out;
  out.base = LOAM_TRY(tuning::find_base(catalog, job.spec()));
  out.adapter = job.result() / "adapter.gguf";
  out.adapter_sha256 = LOAM_TRY(catalog::hash_file(out.adapter)).sha256;
  add_training(job.spec(), out);
  return out;
}

/// The model, of several the first, that has the adapter whose hash `name` is; by name otherwise.
Result<catalog::Model> find_model(catalog::Catalog& catalog, const std::string& name) {
  if (const auto hash = crypto::parse_digest(name))
    for (catalog::Model& model : LOAM_TRY(catalog.list()))
      if (model.adapter && model.adapter->sha256 == *hash) return std::move(model);
  return catalog.find(name);
}

/// By the id of a training, a model's name, or an adapter's hash: of a model or a training here.
Result<Candidate> find_candidate(catalog::Catalog& catalog, const env::Path& data,
                                 const std::string& name) {
  if (name.starts_with("ftjob-"))
    return candidate_of_job(catalog,
                            LOAM_TRY(tuning::JobFolder::open(tuning::jobs_folder(data), name)));
  const auto found = find_model(catalog, name);
  if (const auto hash = crypto::parse_digest(name); !found && hash)
    if (const auto job = LOAM_TRY(training_of(data, *hash))) return candidate_of_job(catalog, *job);
  const catalog::Model model = LOAM_TRY(found);
  if (!model.adapter)
    return fail(ErrorCode::kInvalidArgument, format("gate: {} has no adapter", model.name),
                "name a training (loam train ls) or a model that was adopted");
  Candidate out;
  out.base = model;
  out.base.adapter.reset();
  out.adapter = model.adapter->file;
  out.adapter_sha256 = model.adapter->sha256;
  if (const auto job = LOAM_TRY(training_of(data, out.adapter_sha256)))
    add_training(job->spec(), out);
  return out;
}

engine::LoadOptions engine_load() { return {.context = 4096, .sequences_max = 1, .queue_max = 1}; }

Result<std::unique_ptr<engine::Engine>> start_engine(catalog::Catalog& catalog,
                                                     const Candidate& candidate, bool adapted,
                                                     std::size_t threads) {
  engine::EngineSource source;
  source.name = candidate.base.name;
  source.file = LOAM_TRY(catalog.open_verified(candidate.base));
  source.path = candidate.base.file;
  if (adapted) {
    source.adapter = LOAM_TRY(env::open_read(candidate.adapter));
    LOAM_TRY(catalog::check_finite(source.adapter, candidate.adapter));
  }
  source.load = engine_load();
  // Base and candidate are asked at the same time.
  source.load.threads = std::max(1U, static_cast<std::uint32_t>(threads) / 2);
  return engine::start_worker_engine(engine::worker_program("/proc/self/exe", engine::probe_cpu()),
                                     std::move(source), kLoadTimeoutMs);
}

/// Shows how far it is, and keeps how long each part took.
class PartTimes {
 public:
  explicit PartTimes(Invocation& invocation) : invocation_(invocation) {}

  bool operator()(std::string_view what, std::size_t done, std::size_t of) {
    if (parts_.empty() || parts_.back().what != what) {
      close();
      parts_.push_back({std::string(what), 0});
      since_ms_ = invocation_.clock.steady_ms();
    }
    invocation_.console.progress(format("{}: {} of {} ...", what, done, of));
    return !InterruptGuard::interrupted();
  }
  std::vector<GateRun::Part> finish() {
    close();
    invocation_.console.progress("");
    return std::move(parts_);
  }

 private:
  void close() {
    if (!parts_.empty())
      parts_.back().seconds = static_cast<double>(invocation_.clock.steady_ms() - since_ms_) / 1000;
  }

  Invocation& invocation_;
  std::vector<GateRun::Part> parts_;
  std::int64_t since_ms_ = 0;
};

/// The rows that were learned from.
Result<std::vector<tuning::ViewRow>> read_learned(const env::Path& set) {
  std::vector<tuning::ViewRow> out;
  const auto stage = tuning::Stage::kSft;
  LOAM_TRY(tuning::read_view(
      set / dataset::view_file(tuning::view_of(stage)), stage,
      [&](tuning::ViewRow row) -> Result<> {
        if (row.split == dataset::split_name(dataset::Split::kTrain)) out.push_back(std::move(row));
        return {};
      },
      [](auto, auto) { return true; }));
  return out;
}

/// Fills in what was measured, and by what.
Result<> measure_candidate(Invocation& invocation, catalog::Catalog& catalog,
                           const Candidate& candidate, const GateOrder& order, GateRun& run) {
  gate::Report& report = run.report;
  std::optional<env::Path> newer;
  if (order.newer) newer = *order.newer;
  const env::Path trained = *candidate.data;
  const gate::Slice slice = LOAM_TRY(
      gate::draw_slice(trained, newer, report.nonce, gate::amounts_of(report.profile).items_max));
  report.near_duplicates = slice.near_duplicates;
  const auto learned = LOAM_TRY(read_learned(trained));
  const auto config = LOAM_TRY(config_of(invocation)).config;
  LOAM_TRY(check_gate_memory(candidate.base, node::training_memory_max(config)));
  const std::size_t threads = node::training_threads(config);
  const auto base = LOAM_TRY(start_engine(catalog, candidate, false, threads));
  const auto adapted = LOAM_TRY(start_engine(catalog, candidate, true, threads));
  report.engine_build = base->info().engine_build;
  report.cpu_class = base->info().cpu_class;
  const env::Path scores = LOAM_TRY(folders_of(invocation)).cache / "scores";
  auto base_scores = LOAM_TRY(gate::ScoreCache::open(scores, report.base, *base));
  const InterruptGuard guard;
  PartTimes times(invocation);
  report.measured = LOAM_TRY(gate::measure(slice, {.base = *base,
                                                   .candidate = *adapted,
                                                   .base_scores = base_scores,
                                                   .profile = report.profile,
                                                   .nonce = report.nonce,
                                                   .learned = learned,
                                                   .canaries = candidate.canaries,
                                                   .on_progress = std::ref(times)}));
  run.parts = times.finish();
  return {};
}

/// A gate that is run again must be about the same: else what differs says nothing.
Result<> check_same(const gate::Report& first, const gate::Report& again) {
  const auto refuse = [](std::string_view what, std::string hint) {
    return fail(ErrorCode::kInvalidArgument,
                format("gate: the report is about another {} than the one here", what),
                std::move(hint));
  };
  if (first.adapter != again.adapter) return refuse("adapter", "name the report's own");
  if (first.base != again.base)
    return refuse("base", format("pull the model with SHA-256 {}", crypto::digest_hex(first.base)));
  if (first.data_set != again.data_set)
    return refuse("data set", format("name the one with root {} with --data",
                                     crypto::digest_hex(first.data_set)));
  if (first.newer != again.newer)
    return refuse("newer data set",
                  first.newer ? format("name the one with root {} with --newer",
                                       crypto::digest_hex(*first.newer))
                              : std::string("it was measured without: leave out --newer"));
  return {};
}

/// What draws the slice; of a gate that is run again also how many were drawn before the first.
Result<> settle_draw(const GateOrder& order, gate::Report& report) {
  if (order.repeated) {
    const gate::Report& first = order.repeated->report;
    LOAM_TRY(check_same(first, report));
    report.nonce = first.nonce;
    report.candidates_before = first.candidates_before;
    report.tries_before = first.tries_before;
    return {};
  }
  if (order.nonce)
    report.nonce = *order.nonce;
  else
    env::random_bytes(report.nonce);
  return {};
}

}  // namespace

Result<> check_gate_memory(const catalog::Model& base, std::uint64_t bytes_max) {
  // Two engines, which share the pages of the model's file.
  const std::uint64_t one = pool::estimated_bytes(base, engine_load());
  const std::uint64_t needed = one + (one - std::min(one, base.bytes));
  if (bytes_max == 0 || needed <= bytes_max) return {};
  return fail(ErrorCode::kResourceExhausted,
              format("gate: base and candidate take {} of memory together, and {} may be used",
                     human_bytes(needed), human_bytes(bytes_max)),
              "training.memory_max, or memory_max, allows more");
}

Result<GateRun> run_gate(Invocation& invocation, const GateOrder& order) {
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  const auto catalog = LOAM_TRY(open_catalog(invocation));
  Candidate candidate = LOAM_TRY(find_candidate(*catalog, folders.data, order.adapter));
  if (order.data) candidate.data = *order.data;
  if (!candidate.data)
    return fail(ErrorCode::kInvalidArgument,
                format("gate {}: it is not known here what it learned from", order.adapter),
                "name its data set with --data");
  GateRun run;
  gate::Report& report = run.report;
  report.profile = order.repeated ? order.repeated->report.profile
                                  : LOAM_TRY(dataset::parse_profile(order.profile.value_or("own")));
  report.base = candidate.base.sha256;
  report.adapter = candidate.adapter_sha256;
  report.self_gated = candidate.trained_here;
  report.version = node::version();
  report.data_set = LOAM_TRY(verified_root(invocation, "gate", *candidate.data, order.keys));
  if (order.newer)
    report.newer = LOAM_TRY(verified_root(invocation, "gate", *order.newer, order.keys));
  if (order.recipe) candidate.canaries = tuning::canaries_of(*order.recipe, report.data_set);
  LOAM_TRY(settle_draw(order, report));
  LOAM_TRY(measure_candidate(invocation, *catalog, candidate, order, run));
  if (order.repeated)
    report.replay = gate::Report::Replay{order.repeated->sha256,
                                         gate::difference(order.repeated->report, report)};
  // Measuring takes minutes, in which other gates may come to their end.
  const env::Path gates = LOAM_TRY(gates_folder(invocation));
  run.file = LOAM_TRY(count_and_keep(gates, report));
  return run;
}

}  // namespace loam::cli
