#include "api/answer_values.h"

namespace loam::api {

codec::Value sampling_value(const engine::SamplingParams& sampling) {
  codec::Array bias;
  for (const auto& [token, micro] : sampling.logit_bias)
    bias.emplace_back(codec::Array{token, micro});
  return codec::Object{{"temperature", sampling.temperature},
                       {"top_k", sampling.top_k},
                       {"top_p", sampling.top_p},
                       {"min_p", sampling.min_p},
                       {"repetition_penalty", sampling.repetition_penalty},
                       {"presence_penalty", sampling.presence_penalty},
                       {"frequency_penalty", sampling.frequency_penalty},
                       {"logit_bias", std::move(bias)}};
}

std::string_view seed_mode_name(engine::SeedMode mode) {
  return mode == engine::SeedMode::kNonce ? "nonce" : "integer";
}

}  // namespace loam::api
