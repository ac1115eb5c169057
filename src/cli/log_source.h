// Logs that the command line names: by a folder or a URL.
#pragma once

#include <memory>
#include <string>

#include "cli/invocation.h"
#include "ledger/log_source.h"

namespace loam::cli {

/// The log at `where`, which is asked for nothing yet; a URL ends its requests when the user
/// interrupts. `what` begins the message of an error: "resume".
/// @error PermissionDenied  a URL, and this node is offline. @error InvalidArgument  another URL
/// than of http or https.
Result<std::unique_ptr<ledger::LogSource>> open_log_at(const Invocation& invocation,
                                                       const std::string& what,
                                                       const std::string& where);

}  // namespace loam::cli
