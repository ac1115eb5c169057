// Files that anybody may fetch from this node by their SHA-256.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "crypto/digest.h"
#include "env/disk.h"

namespace loam::commons {

/// A folder whose files are named by the SHA-256 of their content. What lies in it is public, and
/// nothing gets there but by add(): models, answers and keys are somewhere else. Thread-safe.
/// @source DESIGN.md 7, 8.2: what publications name.
class PublicBlobs {
 public:
  /// Makes the folder, and removes what an add() left that did not come to its end.
  static Result<PublicBlobs> open(const env::Path& folder);

  /// Copies `file` in: from now on anybody may have it. Durable when this returns; a file that is
  /// there already stays as it is.
  /// @error NotFound, PermissionDenied, ResourceExhausted (disk full), Unavailable; nothing is
  ///        public then.
  Result<crypto::Digest> add(const env::Path& file);

  struct Blob {
    std::shared_ptr<const env::Fd> file;  // shared with the replies that send it
    env::Path path;
    std::uint64_t bytes = 0;
  };
  /// Reads all of it the first time, and again once it is another file: what is given out is what
  /// its name says. @error NotFound  it is not public here. @error Corrupt  damaged; names the
  /// file.
  Result<Blob> find(const crypto::Digest& digest) const;

 private:
  /// Which files were found whole since the program started.
  struct Whole {
    std::mutex mutex;
    std::map<crypto::Digest, env::FileStamp> stamps;
  };
  explicit PublicBlobs(env::Path folder) : folder_(std::move(folder)) {}
  Result<> check_whole(const Blob& blob, const crypto::Digest& digest,
                       const env::FileStamp& stamp) const;

  env::Path folder_;
  std::shared_ptr<Whole> whole_ = std::make_shared<Whole>();
};

}  // namespace loam::commons
