// What comes out of a run: the adapter's files, and what it is made of.
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "train/adapter.h"
#include "tuning/examples.h"
#include "tuning/job.h"

namespace loam::tuning {

/// What an adapter is made of, by hash: whoever has these makes the same bytes.
struct Lineage {
  catalog::Model base;
  crypto::Digest source{};  // the data set's root; the hash of a private file
  bool is_private = false;  // a file of somebody's own: not from the open record
  Recipe recipe;
  crypto::Digest examples{};  // hash_of()
  std::size_t examples_count = 0;
  std::string version;          // of this program
  std::string engine_build;     // that tokenised
  std::string instruction_set;  // that computed

  crypto::Digest recipe_sha256() const;
  /// What decides over every number of the run: SHA-256("loam.run.v1" || base file || data set
  /// root || recipe || examples); for a private file "loam.run.private.v1", and its hash.
  crypto::Digest run() const;
};

/// SHA-256 over each example: of each text u64 tokens, u64 of them in the prompt, then each as u32;
/// then u8, 0 if the answer was disliked, else 1. Little-endian.
crypto::Digest hash_of(const Examples& examples);

/// Writes the files into job.adapter(), which appears when all are whole.
Result<> write_outcome(const JobFolder& job, const train::Adapter& adapter,
                       const train::Shape& shape, const Lineage& lineage);

}  // namespace loam::tuning
