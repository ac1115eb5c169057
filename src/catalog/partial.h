// A download that is not complete yet, and what is known of it. Inside this module only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "env/disk.h"

namespace loam::catalog {

/// Three files in the folder for partial downloads, named by the hash of the URL, so that nothing
/// from outside becomes a path: the bytes, a side file with the validator they came under, and a
/// lock. One thread uses it.
class Partial {
 public:
  /// Opens what an earlier pull of this URL left, or begins.
  /// @error AlreadyExists  the same URL is being pulled right now.
  static Result<Partial> open(const env::Path& folder, const std::string& url);

  std::uint64_t bytes() const { return bytes_; }
  const std::string& etag() const { return etag_; }  // strong, with its quotes; empty if none
  std::uint64_t total() const { return total_; }     // as the server announced; 0 if it did not
  const env::Path& path() const { return path_; }

  /// Notes what the bytes that follow belong to, before they are written.
  Result<> describe(const std::string& etag, std::uint64_t total);
  /// Forgets all bytes.
  Result<> restart();
  Result<> append(std::string_view data);
  Result<> sync();
  /// The first bytes, up to `count`.
  Result<std::string> head(std::size_t count) const;
  /// Deletes it all; the object is of no use then. The bytes may have been moved away before.
  void remove();

 private:
  Partial(env::FileLock lock, env::Path base) : lock_(std::move(lock)), base_(std::move(base)) {}

  env::FileLock lock_;
  env::Path base_;  // without an ending
  env::Path path_;
  env::Fd file_;
  std::uint64_t bytes_ = 0;
  std::string etag_;
  std::uint64_t total_ = 0;
};

}  // namespace loam::catalog
