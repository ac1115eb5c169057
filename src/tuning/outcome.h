// What comes out of a run: an adapter's files or a model's, and what it is made of.
#pragma once

#include <map>
#include <string>

#include "catalog/catalog.h"
#include "tuning/examples.h"
#include "tuning/job.h"
#include "tuning/learner.h"

namespace loam::tuning {

/// What a result is made of, by hash: whoever has these makes the same bytes.
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

/// Lineage::run() of these.
crypto::Digest run_id(const crypto::Digest& base, const crypto::Digest& source,
                      const crypto::Digest& recipe, const crypto::Digest& examples,
                      bool is_private = false);

/// What lineage.json says of a run that is over.
struct WrittenLineage {
  crypto::Digest base{}, data_set_root{}, recipe{}, examples{}, run{}, log{};
  std::uint64_t seed = 0, examples_count = 0;
  std::string architecture;  // of the base
  std::string version, engine_build, instruction_set;
  std::map<std::string, crypto::Digest, std::less<>> files;  // beside it
};
/// @error NotFound. @error Corrupt  not what write_outcome() writes; names the file.
Result<WrittenLineage> read_lineage(const env::Path& file);

/// SHA-256 over each example: of each text u64 tokens, u64 of them in the prompt, then each as u32;
/// then u8, 0 if the answer was disliked, else 1. Little-endian.
crypto::Digest hash_of(const Examples& examples);

/// Writes the files into job.result(), which appears when all are whole.
/// @param base  the base model's file.
Result<> write_outcome(const JobFolder& job, const Parameters& trained, const train::Shape& shape,
                       const env::Fd& base, const Lineage& lineage);

}  // namespace loam::tuning
