// A data set that a verb is about to rely on: verified first.
#pragma once

#include <string>
#include <vector>

#include "cli/invocation.h"
#include "crypto/digest.h"

namespace loam::cli {

/// The root of the data set in `folder`, if all of it is as it should be. `keys` are those of its
/// logs; this node's own, if none is given. `who` begins the message: "train".
/// @error Corrupt  it is damaged; what is wrong first.
Result<crypto::Digest> verified_root(Invocation& invocation, std::string_view who,
                                     const std::string& folder,
                                     const std::vector<std::string>& keys);

/// That no text in the data set's folder was retracted since it was built, as far as the logs on
/// this machine say: what is built from them now leaves those out, and a folder may be old.
/// @error PermissionDenied  some were; how many. Else as commons::KnownLogs.
Result<> check_not_withdrawn(const Invocation& invocation, std::string_view who,
                             const env::Path& folder);

}  // namespace loam::cli
