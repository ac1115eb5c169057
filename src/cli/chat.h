// The chat at the keyboard.
#pragma once

#include <optional>
#include <string>

#include "cli/generation.h"
#include "cli/invocation.h"

namespace loam::cli {

struct ChatOptions {
  std::optional<std::string> model;  // empty: the only model that the node has
  GenerationSettings settings;
  bool verbose = false;
  bool no_history = false;
};

/// Runs until the person leaves; the exit code.
Result<int> run_chat(Invocation& invocation, const ChatOptions& options);

}  // namespace loam::cli
