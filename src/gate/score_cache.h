// Scores that were measured before: a base is the same for every candidate.
#pragma once

#include <map>

#include "engine/engine.h"
#include "env/disk.h"
#include "tuning/examples.h"

namespace loam::gate {

/// score() of one engine, remembered in a file by the hash of the text. Not thread-safe.
class ScoreCache {
 public:
  /// The file's name in `folder` says what else a score depends on: the model's file, and the
  /// engine's build and processor class. One that cannot be read is begun anew.
  static Result<ScoreCache> open(const env::Path& folder, const crypto::Digest& model,
                                 engine::Engine& engine);

  /// @error as score(), and as writing the file.
  Result<std::int64_t> score(const tuning::Text& text);

 private:
  ScoreCache(engine::Engine& engine, env::Path path) : engine_(&engine), path_(std::move(path)) {}

  engine::Engine* engine_;
  env::Path path_;
  env::Fd file_;
  std::map<crypto::Digest, std::int64_t> known_;
};

}  // namespace loam::gate
