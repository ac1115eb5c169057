#include "api/reply_format.h"

namespace loam::api {

codec::Value finish_value(const std::optional<engine::FinishReason>& finish) {
  if (!finish) return {};
  return *finish == engine::FinishReason::kStop ? "stop" : "length";
}

codec::Value usage_value(const Usage& usage) {
  return codec::Object{
      {"prompt_tokens", usage.prompt_tokens},
      {"completion_tokens", usage.output_tokens},
      {"total_tokens", std::uint64_t{usage.prompt_tokens} + usage.output_tokens},
      {"prompt_tokens_details", codec::Object{{"cached_tokens", usage.cached_tokens}}},
  };
}

}  // namespace loam::api
