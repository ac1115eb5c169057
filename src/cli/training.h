// Training jobs as the command line makes, watches and ends them. No node is needed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "cli/invocation.h"
#include "tuning/estimate.h"
#include "tuning/job.h"

namespace loam::cli {

/// The models of this machine, beside a node that may run.
Result<std::unique_ptr<catalog::Catalog>> open_catalog(const Invocation& invocation);

struct TrainingOrder {
  std::string data_set;
  std::optional<std::string> model;   // the only one there is, if none is named
  std::optional<std::string> recipe;  // a file
  std::optional<std::string> name;
  std::vector<std::string> keys;  // of the data set's logs; this node's own, if none is given
  std::optional<std::int64_t> threads;
};

/// The recipe in `file`; sensible settings without one.
Result<tuning::Recipe> read_recipe(const std::optional<std::string>& file);

/// A job that nothing works on yet, and what it will take.
struct NewTraining {
  tuning::JobFolder job;
  tuning::Estimate estimate;
  std::uint64_t memory_bytes_max = 0;  // that it may use
};

/// Verifies the data set and makes a job of it.
/// @error Corrupt  the data set is damaged. PermissionDenied  texts in it were retracted since.
///        NotFound  no such model. ResourceExhausted  it does not fit into the memory that it may
///        use.
Result<NewTraining> make_training(Invocation& invocation, const TrainingOrder& order);

/// Starts a process of low priority that works on the job.
/// @error AlreadyExists  one does already.
Result<> start_training(const Invocation& invocation, const tuning::JobFolder& job);

/// Works on the job in this process, until it is done or SIGINT or SIGTERM comes.
Result<tuning::JobStatus> do_training(Invocation& invocation, const tuning::JobFolder& job);

/// Shows the job's progress until its process ends; an interrupt ends the watching only, and gives
/// nothing.
Result<std::optional<tuning::JobState>> watch_training(Invocation& invocation,
                                                       const tuning::JobFolder& job);

/// Makes a model of the job's base and its adapter, or of the file of all parameters; `name`
/// instead of the job's own.
/// @error InvalidArgument  the job has no result yet. AlreadyExists  another model has the name.
Result<catalog::Model> adopt_training(const Invocation& invocation, const tuning::JobFolder& job,
                                      const std::optional<std::string>& name);

/// Makes a model of a base and an adapter in a PEFT folder that another trainer wrote.
/// @error as tuning::import_peft(). AlreadyExists  another model has the name.
Result<catalog::Model> import_training(const Invocation& invocation, const env::Path& folder,
                                       const TrainingOrder& order);

/// Asks the job's process to stop and waits until it has; false if none ran.
Result<bool> stop_training(Invocation& invocation, const tuning::JobFolder& job);

}  // namespace loam::cli
