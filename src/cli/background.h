// The node as a background process: started, waited for, stopped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/invocation.h"
#include "cli/node_client.h"
#include "node/presence.h"

namespace loam::cli {

struct BackgroundOptions {
  std::vector<std::string> serve_options;  // passed on to `loam serve`
  std::int64_t wait_ms = 30'000;           // until it must be healthy
};

enum class Started { kNow, kBefore };
struct BackgroundNode {
  Started started = Started::kNow;
  node::Presence presence;
};

/// Starts `loam serve` in a session of its own, its output in state/loam.log, and waits until it
/// answers; does nothing if one runs already.
/// @error the code that `loam serve` ended with; the hint holds the end of its log.
/// @error DeadlineExceeded  it runs and does not answer.
Result<BackgroundNode> start_in_background(const Invocation& invocation,
                                           const BackgroundOptions& options);

/// Asks the node on these folders to stop (SIGTERM) and waits until it has; false if none ran.
/// @error DeadlineExceeded  it still runs after `wait_ms`.
Result<bool> stop_running(const env::Folders& folders, env::Clock& clock, std::int64_t wait_ms);

/// The endpoint of a node that can be used now: starts one if none runs and no URL was given.
Result<Endpoint> ensure_node(const Invocation& invocation);

/// The options of this call that another one of the program needs to find the same node.
void add_globals(const Invocation& invocation, std::vector<std::string>& arguments);

env::Path log_file(const env::Folders& folders);

}  // namespace loam::cli
