// Gathers what the doctor's checks judge.
#pragma once

#include "base/result.h"
#include "cli/doctor_checks.h"
#include "cli/invocation.h"

namespace loam::cli {

/// Looks at folders, machine, settings, node and models; changes nothing but that folders which are
/// not there yet are made, since only that tells whether they can be.
Result<Surroundings> look_around(const Invocation& invocation);

}  // namespace loam::cli
