// Fetching a model: from an https URL with a SHA-256, a model hub, or a local path.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/catalog.h"
#include "crypto/digest.h"
#include "env/clock.h"

namespace loam::catalog {

struct PullRequest {
  std::string source;  // "https://...", "hf:owner/repo/file", "/path", "file.gguf"
  std::string name;    // empty: made from the file's name
  std::optional<crypto::Digest> sha256;  // must be given for https:// and http:// URLs
  std::string licence;                   // empty: the file's own word
  bool link = false;                     // a local file stays where it is
};

enum class PullPhase { kConnecting, kDownloading, kVerifying, kDone };

struct PullProgress {
  PullPhase phase = PullPhase::kConnecting;
  std::uint64_t done = 0;   // bytes, what an earlier attempt left included
  std::uint64_t total = 0;  // bytes; 0: not known
  double bytes_per_s = 0;   // over the last seconds
  std::optional<double> left_s;
};

struct PullOptions {
  env::Path partial_folder;  // partial downloads live here until complete
  std::string hub_url = "https://huggingface.co";
  bool offline = false;              // only local paths
  int attempts_max = 5;              // in a row without a byte of progress
  std::int64_t retry_wait_ms = 500;  // doubled each time, up to 8 s
  std::uint64_t bytes_max = std::uint64_t{1} << 40;
};

/// Downloads (continuing what an earlier pull left, by Range and If-Range), checks size and hash,
/// reads the header, and adds the model. `progress` is called about five times a second; false from
/// it stops the pull with Cancelled, keeping the partial file.
/// @error InvalidArgument  a URL without a hash, or a bad source. NotFound  404.
/// @error Corrupt  wrong hash or size (the partial file is then removed), or no GGUF.
/// @error ResourceExhausted  disk full: said before the download where the size is known.
/// @error Unavailable  the server cannot be reached or keeps breaking off.
/// @thread any; the same source twice at once: the second gets AlreadyExists.
Result<Model> pull(Catalog& catalog, const PullRequest& request, const PullOptions& options,
                   env::Clock& clock, const std::function<bool(const PullProgress&)>& progress);

}  // namespace loam::catalog
