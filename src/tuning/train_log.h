// The log of a run: a line of JSON for each logged step. Nothing of time or machine is in it, so
// that the same run writes the same bytes, however often it was stopped.
#pragma once

#include <vector>

#include "env/disk.h"
#include "tuning/training_run.h"

namespace loam::tuning {

/// {"step","epoch","loss","gradient_norm","learning_rate","tokens"}; numbers as short as they read
/// back the same.
std::string log_line(const StepReport& report);

/// What was logged; a last line that was cut off is left out. Empty if there is no such file.
/// @error Corrupt  names the line.
Result<std::vector<StepReport>> read_train_log(const env::Path& file);

/// Goes on behind the steps up to `step`: what was logged after a checkpoint is logged again.
/// @return the open file.
Result<env::Fd> continue_train_log(const env::Path& file, std::uint64_t step);

}  // namespace loam::tuning
