// Sharing an answer at the keyboard: what becomes public is shown, then asked about.
#pragma once

#include <optional>
#include <string>

#include "cli/console.h"
#include "cli/node_client.h"
#include "env/clock.h"

namespace loam::cli {

struct ShareTerms {
  std::optional<std::string> answer;  // its id, "#CHOICE" behind it; empty: the last one
  std::string licence = "CC-BY-4.0";
  std::string scope = "train,eval";  // words between commas
  bool now = false;                  // publish at once
};

/// Shows what becomes public, asks, and says what came of it.
/// @error Cancelled  the answer was no. @error PermissionDenied  nobody can be asked.
Result<> share_answer(Console& console, env::Clock& clock, const NodeClient& client,
                      const ShareTerms& terms);

}  // namespace loam::cli
