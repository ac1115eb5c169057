#include "release/gate_summary.h"

#include "gate/report.h"

namespace loam::release {

Result<GateSummary> gate_summary(std::string_view report) {
  const gate::Report found = LOAM_TRY(gate::parse_report(report));
  return GateSummary{.verdict = std::string(gate::outcome_name(found.verdict().outcome)),
                     .profile = std::string(dataset::profile_name(found.profile)),
                     .self_gated = found.self_gated,
                     .adapter_sha256 = found.adapter,
                     .base_sha256 = found.base,
                     .data_set_root = found.data_set};
}

}  // namespace loam::release
