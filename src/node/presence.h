// The running node's word to its clients: where it answers and which process it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "env/disk.h"
#include "env/folders.h"

namespace loam::node {

/// What stands in state/node.json while a node runs.
struct Presence {
  std::string url;  // "http://127.0.0.1:5626"
  std::int64_t pid = 0;
  std::string version;
  std::int64_t started_ms = 0;  // wall clock
};

env::Path presence_file(const env::Folders& folders);
/// The owner's secret, mode 0600. @source DESIGN.md 8.9.
env::Path token_file(const env::Folders& folders);
/// The lock that the one node of these folders holds.
env::Path lock_file(const env::Folders& folders);

Result<> write_presence(const env::Folders& folders, const Presence& presence);
/// Forgets the file; that there is none is no error.
void remove_presence(const env::Folders& folders);

/// The node that runs on these folders; empty if none does, whatever a crash left behind.
/// Reads a lock and a file; asks nobody.
std::optional<Presence> find_running(const env::Folders& folders);

}  // namespace loam::node
