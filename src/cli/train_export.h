// `loam train export`: a verified data set and a recipe for a trainer of others.
#pragma once

#include "cli/verb.h"

namespace loam::cli {

Verb train_export_verb();

}  // namespace loam::cli
