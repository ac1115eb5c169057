// What `loam chat` keeps of the words that were typed: lines in the history, saved conversations.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "env/folders.h"

namespace loam::cli {

/// Where lines are remembered, and where /save NAME writes.
env::Path history_file(const env::Folders& folders);
env::Path saved_chats(const env::Folders& folders);

/// After a retraction on this machine: removes the lines of the history that `body`, a record's
/// conversation as it was published, has too, masked as they would be.
/// @return where its text may still be: saved conversations, and a history that cannot be written.
std::vector<env::Path> forget_typed(const env::Folders& folders, const codec::Value& body);

}  // namespace loam::cli
