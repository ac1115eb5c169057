// ledger search: records by their words.
#pragma once

#include "cli/verb.h"

namespace loam::cli {

Verb ledger_search_verb();

}  // namespace loam::cli
