// A log, a data set of it, a training on that and a gate's report: all that a publication needs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/format.h"
#include "dataset/build.h"
#include "dataset/testing/made_log.h"
#include "gate/report.h"
#include "release/gate_summary.h"
#include "release/publish.h"
#include "tuning/testing/made_job.h"

namespace loam::release::testing {

inline bool go_on(std::string_view, std::uint64_t, std::uint64_t) { return true; }

/// A gate's report on the job's adapter, with a measurement that its verdict follows from.
inline std::string made_report(const tuning::JobFolder& job, const crypto::Digest& root,
                               gate::Outcome verdict = gate::Outcome::kPass) {
  const auto lineage = tuning::read_lineage(job.result() / "lineage.json");
  gate::Report out;
  out.base = lineage->base;
  out.adapter = lineage->files.at("adapter.gguf");
  out.data_set = root;
  const gate::Amounts amounts = gate::amounts_of(out.profile);
  const std::int64_t candidate = verdict == gate::Outcome::kFail ? 3'000'000 : 1'000'000;
  if (verdict != gate::Outcome::kInconclusive)
    for (std::size_t i = 0; i < amounts.items_min; ++i)
      out.measured.losses.push_back({.record = "r" + std::to_string(i),
                                     .tokens = 20,
                                     .base = 2'000'000,
                                     .candidate = candidate});
  out.measured.tasks.resize(amounts.tasks, {"copy", true, true});
  for (std::size_t i = 0; i < amounts.samples; ++i)
    out.measured.samples.push_back({.record = "r" + std::to_string(i)});
  LOAM_CHECK(out.verdict().outcome == verdict);
  return gate::report_text(out);
}

/// Everything lies below `folder`, which must be there and be removed by the caller.
class MadePublication {
 public:
  /// `licences`: of its records, one after the other.
  explicit MadePublication(const env::Path& folder,
                           const std::vector<std::string>& licences = {"CC-BY-4.0"})
      : folder_(folder) {
    for (int i = 0; i < kAnswers; ++i) {
      const std::string number = std::to_string(i * 104'729);
      ids.push_back(log.data("What of " + number + "?", number + " is followed by one more.",
                             {.licence = licences[static_cast<std::size_t>(i) % licences.size()]}));
    }
    vote = log.vote(ids[0], ledger::Vote::kUp);
    edit = log.edit(ids[1], "What of 104729?", "It is the ten-thousandth prime.");
    unused = log.vote(unused, ledger::Vote::kUp);
    auto built = dataset::build(data_set(),
                                {{{log.key(), &log}}, {dataset::Query::parse("").value()}}, go_on);
    LOAM_CHECK(built.has_value());
    roots = built->roots;
    job_.emplace(
        tuning::testing::made_job(folder / "training", data_set(), built->roots.dataset()));
    report = made_report(*job_, roots.dataset());
  }

  env::Path data_set() const { return folder_ / "set"; }
  env::Path staged() const { return folder_ / "staged"; }
  const tuning::JobFolder& job() const { return *job_; }
  PublishOrder order() const {
    return {.job = *job_,
            .base = tuning::testing::made_base(),
            .data_set = data_set(),
            .keys = {log.key()},
            .gate_report = report,
            .read_gate = gate_summary,
            .parents = parents,
            .threads = 1};
  }
  Result<crypto::Digest> stage() const { return release::stage(order(), staged(), go_on); }

  static constexpr int kAnswers = 12;
  dataset::testing::MadeLog log;
  std::vector<ledger::RecordId> ids;  // of the answers
  ledger::RecordId edit;
  ledger::RecordId vote;  // that the data set was made of too
  ledger::RecordId unused{crypto::sha256(as_bytes("elsewhere"))};  // a record that is in no row
  dataset::Roots roots;
  std::string report;
  std::vector<ledger::RecordId> parents;

 private:
  env::Path folder_;
  std::optional<tuning::JobFolder> job_;
};

}  // namespace loam::release::testing
