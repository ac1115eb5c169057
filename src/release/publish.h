// From a finished training to the files of a publication.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "dataset/facts.h"
#include "release/examine.h"
#include "tuning/job.h"

namespace loam::release {

struct PublishOrder {
  const tuning::JobFolder& job;  // succeeded
  catalog::Model base;           // tuning::find_base()
  env::Path data_set;            // the folder that the job learned from, wherever it lies now
  /// Of every log of the data set; they never come from its folder.
  std::vector<crypto::VerifierKey> keys;
  std::string gate_report;  // its text
  ReadGate read_gate;
  std::vector<ledger::RecordId> parents = {};  // publications that it descends from
  std::size_t threads = 1;
};

/// Checks everything that the job is made of once more (the data set down to its signatures, every
/// hash that the job wrote down, that the gate's report is about this adapter, licences), makes the
/// proofs, and writes the files of the publication into `folder`, each named by its hash.
/// @return the hash of the manifest among them.
/// @error InvalidArgument  the job is not done; a report about something else. @error Corrupt  what
///        was changed since. @error PermissionDenied  licences that may not be combined.
/// @error NotFound  no key for a log. @error ResourceExhausted  too much for one publication.
Result<crypto::Digest> stage(const PublishOrder& order, const env::Path& folder,
                             const dataset::OnProgress& on_progress);

/// Where stage() writes for a node on these folders: below `data`, by an id that the caller drew.
/// Only what lies there can be asked to be made public.
/// @error InvalidArgument  not 1 to 64 letters, digits and hyphens.
Result<env::Path> staging_folder(const env::Path& data, std::string_view id);

/// What a node does before it makes anything public: the files in `folder` are examined, and
/// nothing may be wrong with them. @error Corrupt  names the first fault. Else as examine().
Result<Examined> check_staged(const env::Path& folder, const crypto::Digest& manifest,
                              const ReadGate& read_gate, std::size_t threads);

}  // namespace loam::release
