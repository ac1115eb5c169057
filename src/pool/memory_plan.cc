#include "pool/memory_plan.h"

#include <unistd.h>

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "engine/kv_cells.h"

namespace loam::pool {
namespace {

/// Compute buffers and the worker itself; measured at 50 to 200 MB for models up to 8 billion
/// parameters, chosen in between.
constexpr std::uint64_t kWorkBytes = std::uint64_t{128} << 20;

std::uint64_t saturated_product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? UINT64_MAX : out;
}

std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

}  // namespace

std::uint64_t estimated_bytes(const catalog::Model& model, const engine::LoadOptions& options) {
  const std::uint32_t context =
      model.facts.context == 0 ? options.context : std::min(options.context, model.facts.context);
  return estimated_bytes(model, engine::kv_cells(context, options.sequences_max).count);
}

std::uint64_t estimated_bytes(const catalog::Model& model, std::uint64_t cells) {
  const std::uint64_t cache = saturated_product(cells, model.facts.kv_bytes_per_token);
  const std::uint64_t adapter = model.adapter ? model.adapter->bytes : 0;
  return saturated_sum(saturated_sum(model.bytes, cache), saturated_sum(kWorkBytes, adapter));
}

Result<MemoryPlan> plan_memory(const catalog::Model& model, const engine::LoadOptions& wanted,
                               std::uint64_t bytes_max) {
  MemoryPlan plan{wanted, estimated_bytes(model, wanted)};
  while (plan.bytes > bytes_max && plan.options.sequences_max > 1) {
    plan.options.sequences_max /= 2;
    plan.bytes = estimated_bytes(model, plan.options);
  }
  if (plan.bytes > bytes_max)
    return fail(ErrorCode::kResourceExhausted,
                format("model {}: it needs about {} of memory with a context of {} tokens, and "
                       "models may use {}",
                       model.name, human_bytes(plan.bytes), wanted.context, human_bytes(bytes_max)),
                "take a smaller model or quantisation, a shorter context, or allow more memory "
                "(loam config)");
  return plan;
}

std::uint64_t machine_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return 0;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
}

}  // namespace loam::pool
