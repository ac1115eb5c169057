// format(): fmt's, re-exported so that only base includes the library.
#pragma once

#include <fmt/format.h>

namespace loam {
using ::fmt::format;
}  // namespace loam
