// Scripts that complete `loam` command lines in a shell, out of the tree of verbs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/verb.h"

namespace loam::cli {

/// For "bash", "zsh" or "fish"; empty for any other shell.
std::optional<std::string> completion_script(const Verb& root, std::string_view shell);

}  // namespace loam::cli
