// A fine-tuning job as a folder: what it is made of, how far it is, what came out.
//
//   job.json      what it is made of; never changes        recipe.toml  the whole recipe
//   state.json    how far it is; replaced as it goes on    log.jsonl    a line for each logged step
//   checkpoints/  the two newest                           adapter/ or model/  the result
//   intent        what its owner wants of it               trainer.log  what the process said
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/digest.h"
#include "env/disk.h"
#include "tuning/recipe.h"

namespace loam::tuning {

/// A file of somebody's own, in OpenAI's form (chat_rows.h). Nobody else can look at what is
/// learned from it, so what comes out is not for publication.
struct PrivateSource {
  std::string id;  // "file-..."
  env::Path file;
};

/// What a job is made of.
struct JobSpec {
  std::string id;    // "ftjob-...", the folder's name
  std::string name;  // of what comes out
  std::string model;
  crypto::Digest model_sha256{};
  std::optional<PrivateSource> private_source;  // if there is one, there is no data set
  env::Path data_set;
  crypto::Digest data_set_root{};
  crypto::Digest rows_sha256{};  // of the view that the recipe's stage learns from; of the file
  Recipe recipe;
  std::size_t threads = 1;
  std::int64_t created_ms = 0;
  std::string caller;  // who asked a node for it, and it waits in that one's queue; else empty
  std::vector<std::pair<std::string, std::string>> metadata;  // the caller's own

  /// The rows that are learned from.
  env::Path rows() const;
  /// What is learned from, by hash: the data set's root, or the private file's.
  crypto::Digest source() const;
};

/// What a job's owner wants of it, whatever it does at the moment.
enum class JobIntent : std::uint8_t { kWork, kPause, kCancel };

enum class JobStatus : std::uint8_t { kQueued, kRunning, kStopped, kFailed, kSucceeded };
std::string_view job_status_name(JobStatus status);  // "queued", "running", ...

struct JobState {
  JobStatus status = JobStatus::kQueued;
  std::string doing;  // for people: "reading the model"
  std::uint64_t step = 0, steps = 0;
  double loss = 0;
  double tokens_per_s = 0;
  double seconds_left = 0;
  std::uint64_t examples = 0, too_long = 0, no_template = 0;
  std::string adopted;         // the model that was made of the adapter; empty: none yet
  std::optional<Error> error;  // why it failed, or why no model was made of it
  std::int64_t updated_ms = 0;
};

/// One job's folder.
class JobFolder {
 public:
  /// Makes the folder below `jobs`. @error AlreadyExists.
  static Result<JobFolder> create(const env::Path& jobs, const JobSpec& spec);
  /// @error NotFound  no such job. Corrupt.
  static Result<JobFolder> open(const env::Path& jobs, std::string_view id);
  /// All jobs, the newest first; folders that are none are left out.
  static Result<std::vector<JobFolder>> list(const env::Path& jobs);

  const JobSpec& spec() const { return spec_; }
  const env::Path& path() const { return path_; }
  env::Path log() const { return path_ / "log.jsonl"; }
  env::Path checkpoints() const { return path_ / "checkpoints"; }
  /// The folder of what came out: an adapter, or by recipe.full a model.
  env::Path result() const { return path_ / (spec_.recipe.full ? "model" : "adapter"); }
  env::Path output() const { return path_ / "trainer.log"; }

  /// What was written last. One that says "running" while no process works on it has failed: the
  /// process vanished without a word.
  Result<JobState> state() const;
  Result<> set_state(const JobState& state) const;

  /// kWork if nothing was said.
  JobIntent intent() const;
  Result<> set_intent(JobIntent intent) const;

  /// Queues the job again if its process vanished without a word; whether it had.
  Result<bool> queue_if_vanished() const;

  /// Held by the process that works on it. @error AlreadyExists  another does.
  Result<env::FileLock> lock() const;
  /// That process; nothing if none does.
  std::optional<std::int64_t> holder() const;

 private:
  Result<JobState> written_state() const;

  JobFolder(env::Path path, JobSpec spec) : path_(std::move(path)), spec_(std::move(spec)) {}

  env::Path path_;
  JobSpec spec_;
};

/// Where a node keeps its jobs.
env::Path jobs_folder(const env::Path& data);

}  // namespace loam::tuning
