// The SHA-256 of a file.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "crypto/digest.h"
#include "env/disk.h"

namespace loam::catalog {

struct FileHash {
  crypto::Digest sha256{};
  env::FileStamp stamp;  // of the file while it was read
};

/// Hashes an open file from its start. `progress` gets the bytes done every few megabytes; false
/// from it stops.
/// @error Cancelled. Unavailable  the disk failed, or the file was written to meanwhile.
Result<FileHash> hash_file(const env::Fd& file, const env::Path& path,
                           const std::function<bool(std::uint64_t)>& progress = {});
/// Opens it first. @error as opening files, too.
Result<FileHash> hash_file(const env::Path& path);

}  // namespace loam::catalog
