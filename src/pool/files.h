// Files that people uploaded: theirs alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"
#include "env/clock.h"
#include "env/disk.h"

namespace loam::pool {

inline constexpr std::uint64_t kFilesBytesMax = std::uint64_t{512} << 20;  // of one caller; chosen
inline constexpr std::size_t kFilesMax = 1000;                             // of one caller; chosen

struct StoredFile {
  std::string id;        // "file-..."
  std::string caller;    // Caller::id; only it may know of the file
  std::string filename;  // as the caller calls it; no path of ours
  std::string purpose;
  std::uint64_t bytes = 0;
  crypto::Digest sha256{};
  std::int64_t created_ms = 0;
  env::Path content;  // never changes
};

/// Thread-safe. Durable: what a call acknowledged is there, or gone, after a crash.
class FileStore {
 public:
  /// `folder` is made. What an upload or a deletion that was cut short left there is removed.
  static Result<std::unique_ptr<FileStore>> open(env::Path folder, env::Clock& clock);
  virtual ~FileStore() = default;

  /// @error ResourceExhausted  the caller has as much as it may have; the disk is full.
  virtual Result<StoredFile> add(const std::string& caller, const std::string& filename,
                                 const std::string& purpose, std::string_view content) = 0;
  /// @error NotFound  no such file of this caller.
  virtual Result<StoredFile> find(const std::string& caller, std::string_view id) = 0;
  /// Newest first.
  virtual Result<std::vector<StoredFile>> list(const std::string& caller) = 0;
  /// Its place on the disk is given back, not overwritten. @error NotFound.
  virtual Result<> remove(const std::string& caller, std::string_view id) = 0;
};

}  // namespace loam::pool
