// What the process of a job does: from the data set's rows to the result's files.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "env/clock.h"
#include "tuning/examples.h"
#include "tuning/job.h"

namespace loam::tuning {

struct WorkSetup {
  catalog::Catalog& catalog;
  env::Clock& clock;
  env::Path worker_program;            // for the engine that tokenises
  std::string version;                 // of this program, for the lineage
  std::uint64_t memory_bytes_max = 0;  // that may be used; a run that needs more is refused
  std::uint64_t memory_bytes_cap = 0;  // that the process cannot pass, as its owner wants; 0: none
  std::function<bool()> stopping;      // asked between steps
  /// Asked before anything is learned, now and when the job is resumed, and not of private files:
  /// whether the data set's texts may still be. Its error ends the job.
  std::function<Result<>(const env::Path& data_set)> check_data_set = {};
};

/// The model that the job trains on, by the hash of its file.
/// @error NotFound  it is gone; the hint says what to pull.
Result<catalog::Model> find_base(catalog::Catalog& catalog, const JobSpec& spec);

/// Whether a recipe can train that model at all: all parameters only of models below 5 million.
/// @error Unsupported.
Result<> check_size(const Recipe& recipe, const catalog::Model& model);

/// Whether the model has a row for every token of the texts: their tokenizer comes from the same
/// untrusted file.
/// @error InvalidArgument.
Result<> check_tokens(const Examples& examples, std::size_t vocabulary, std::string_view model);

/// What a job ends with that was refused memory: beyond `bytes_cap`, or, if that is 0, beyond what
/// the machine has.
Error out_of_memory(std::uint64_t bytes_cap, std::string_view job);

/// Works until the job is done, or is asked to stop; goes on where an earlier process was. What
/// fails is also said in the job's state. The result lies in result():
///   adapter.gguf                                     what llama.cpp and this program load
///   adapter_config.json, adapter_model.safetensors   what PEFT loads
///   model.gguf                                       instead of both, if all parameters are
///   trained lineage.json, loss.svg
/// @return kSucceeded or kStopped.
/// @error AlreadyExists  another process works on it. NotFound  the base model is gone. Corrupt the
///        data set is not the one that was verified. Unsupported  a recipe or model that is not
///        offered. ResourceExhausted  memory or disk. What reading model and data set returns, and
///        setup.check_data_set.
Result<JobStatus> work(const JobFolder& job, const WorkSetup& setup);

}  // namespace loam::tuning
