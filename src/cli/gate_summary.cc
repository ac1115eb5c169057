#include "cli/gate_summary.h"

#include "base/format.h"
#include "cli/node_client.h"
#include "codec/json.h"

namespace loam::cli {

Result<release::GateSummary> gate_summary(std::string_view report) {
  const auto value = codec::parse_json(report);
  const auto corrupt = [](std::string_view why) {
    return fail(ErrorCode::kCorrupt, format("gate's report: {}", why), "loam gate run");
  };
  if (!value) return corrupt(value.error().message);
  release::GateSummary out;
  out.verdict = text_at(*value, "verdict");
  out.profile = text_at(*value, "profile");
  out.self_gated = flag_at(*value, "self_gated");
  if (out.verdict.empty() || out.profile.empty()) return corrupt("verdict or profile is missing");
  for (const auto& [target, name] : {std::pair{&out.adapter_sha256, "adapter_sha256"},
                                     {&out.base_sha256, "base_sha256"},
                                     {&out.data_set_root, "data_set_root"}}) {
    const auto digest = crypto::parse_digest(text_at(*value, name));
    if (!digest) return corrupt(format("{} is not a hash", name));
    *target = *digest;
  }
  return out;
}

}  // namespace loam::cli
