// Files by hash, wherever they lie: this node's public folder, another node's /blob/, a list in
// tests. What comes is hashed again here: a source is never believed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "env/disk.h"

namespace loam::release {

/// Whether what failed so may work later: then it says nothing of a publication. What is damaged,
/// gone or refused stays so.
bool may_pass(ErrorCode code);

/// Twins: a folder, a node's URL, and maps in tests. @thread one at a time.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  /// The file that is kept under this hash; whether it is that one, read_blob() finds out.
  /// @error NotFound. @error Corrupt  larger than `bytes_max`. @error Unavailable  a server that is
  ///        not there. @error ResourceExhausted  this machine has no room for it now.
  virtual Result<std::string> read(const crypto::Digest& digest, std::uint64_t bytes_max) = 0;
  /// For messages: the folder or the URL.
  virtual std::string name() const = 0;
};

/// The file with this hash. @error Corrupt  what is kept under the hash is another file, or is
/// larger than `bytes_max`; says what is wrong. Else as BlobSource::read().
Result<std::string> read_blob(BlobSource& source, const crypto::Digest& digest,
                              std::uint64_t bytes_max);

/// Files that are named by their hashes, as in commons::PublicBlobs.
std::unique_ptr<BlobSource> open_blob_folder(env::Path folder);

/// The files below `url`, which ends in /blob. Redirects are not followed; every answer is bounded
/// in size and time. `should_stop` ends a request with Cancelled; may be empty.
/// @error InvalidArgument  not an http or https URL.
Result<std::unique_ptr<BlobSource>> open_http_blobs(std::string url,
                                                    std::function<bool()> should_stop = {});

/// The first whole file that one of `sources` has. If none is whole: the first error that may pass,
/// since the file may be where nobody answered; else the first damaged file that there is. Who had
/// the last file is asked first, and who failed so last.
std::unique_ptr<BlobSource> any_blobs(std::vector<std::unique_ptr<BlobSource>> sources);

}  // namespace loam::release
