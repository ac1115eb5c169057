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

}  // namespace loam::cli
