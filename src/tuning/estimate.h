// What a run will take, said before it is begun.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "catalog/catalog.h"
#include "env/clock.h"
#include "env/disk.h"
#include "train/gemm.h"
#include "train/model.h"
#include "tuning/job.h"
#include "tuning/recipe.h"

namespace loam::tuning {

struct Estimate {
  std::uint64_t examples = 0;  // fewer, if some are too long or do not fit the model's template
  std::uint64_t steps = 0;
  std::uint64_t memory_bytes = 0;  // run_bytes()
  double gflop = 0;
  double seconds = 0;  // of estimate_job() only
};

/// What the job will take on this machine. Reads the header of the model's file, not its weights.
/// @error ResourceExhausted  more memory than `bytes_max`. As estimate_run(), train::read_shape().
Result<Estimate> estimate_job(catalog::Catalog& catalog, const catalog::Model& model,
                              const JobSpec& spec, std::uint64_t bytes_max, env::Clock& clock);

/// By the rows of split `train` in `rows`, a data set's view of the recipe's stage. Tokens are
/// guessed from the length of texts: it takes the model's engine to know them.
/// @error InvalidArgument  there is no row to learn from. As read_view().
Result<Estimate> estimate_run(const env::Path& rows, const Recipe& recipe,
                              const train::Shape& shape, bool has_head);

/// 1e9 operations in a second of training, by the speed of products of which it measures a few,
/// for a twentieth of a second.
double training_speed(train::Gemm& gemm, env::Clock& clock);

}  // namespace loam::tuning
