// A training that is done, without a model and without training.
#pragma once

#include "base/check.h"
#include "env/file.h"
#include "train/testing/toy_model.h"
#include "tuning/outcome.h"
#include "tuning/train_log.h"

namespace loam::tuning::testing {

inline catalog::Model made_base() {
  catalog::Model base;
  base.name = "toy";
  base.sha256 = crypto::sha256(as_bytes("a base"));
  base.bytes = 1234;
  base.source = "/somewhere/on/this/machine/toy.gguf";
  base.licence = "apache-2.0";
  base.facts.architecture = "llama";
  return base;
}

/// Below `jobs`, as it is left behind by tuning::work().
inline JobFolder made_job(const env::Path& jobs, const env::Path& data_set,
                          const crypto::Digest& root) {
  JobSpec spec;
  spec.id = "ftjob-made";
  spec.name = "sailor";
  spec.model = "toy";
  spec.model_sha256 = made_base().sha256;
  spec.data_set = data_set;
  spec.data_set_root = root;
  spec.recipe.lora_rank = 3;
  spec.recipe.lora_alpha = 6;
  auto job = JobFolder::create(jobs, spec);
  LOAM_CHECK(job.has_value());
  std::string log;
  for (std::uint64_t step = 1; step <= 3; ++step) {
    StepReport report;
    report.step = step;
    report.loss = 1.0 / static_cast<double>(step);
    log += log_line(report);
  }
  LOAM_CHECK(env::write_file_atomic(job->log(), log));
  Lineage lineage;
  lineage.base = made_base();
  lineage.source = root;
  lineage.recipe = spec.recipe;
  lineage.examples = crypto::sha256(as_bytes("examples"));
  lineage.examples_count = 7;
  lineage.version = "1.2.3";
  lineage.engine_build = "a build";
  lineage.instruction_set = "avx2";
  const train::Shape shape = train::testing::toy_shape();
  LOAM_CHECK(write_outcome(*job, train::testing::toy_adapter(shape), shape, {}, lineage));
  JobState state;
  state.status = JobStatus::kSucceeded;
  state.step = state.steps = 3;
  LOAM_CHECK(job->set_state(state));
  return *std::move(job);
}

}  // namespace loam::tuning::testing
