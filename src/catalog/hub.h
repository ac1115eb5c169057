// Asking a model hub what a file is before it is downloaded. Inside this module only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "catalog/source.h"
#include "crypto/digest.h"

namespace loam::catalog {

struct HubFile {
  std::string url;                       // where it is now: repositories are renamed
  std::optional<crypto::Digest> sha256;  // as the hub says
  std::uint64_t bytes = 0;               // 0: not said
};

/// One HEAD request, and one more for each renaming. The hub's own headers (x-linked-etag,
/// x-linked-size) stand on its redirect to the storage behind it, so redirects away from the hub
/// are not followed here.
/// @error NotFound, PermissionDenied, Unavailable, Cancelled.
Result<HubFile> ask_hub(const Source& source, const std::function<bool()>& should_stop);

}  // namespace loam::catalog
