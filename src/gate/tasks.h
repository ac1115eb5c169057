// Small tasks that a program makes and checks: what an adapter must not unlearn.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gate/statistics.h"

namespace loam::gate {

struct Task {
  std::string family;  // "copy", "sum", "pick", "compare", "json", "capitals"
  std::string question;
  std::uint32_t tokens_max = 24;
  /// Whether an answer does it.
  std::function<bool(std::string_view answer)> check;
};

/// `count` tasks, a family after the other. The same draws make the same tasks: who trains cannot
/// know them before the gate draws.
std::vector<Task> make_tasks(std::size_t count, Draws draws);

}  // namespace loam::gate
