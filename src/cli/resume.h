// ledger resume: a log that stopped signing goes on, or another one does.
#pragma once

#include "cli/verb.h"

namespace loam::cli {

Verb resume_verb();

}  // namespace loam::cli
