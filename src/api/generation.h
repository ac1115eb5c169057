// Generation: from a parsed request to the engine, and from the engine's events to a reply.
// Shared by chat and completions.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/consent.h"
#include "api/context.h"
#include "api/generation_fields.h"
#include "api/reply_format.h"
#include "engine/sampler.h"

namespace loam::api {

/// One prompt as the engine gets it.
struct Prompt {
  std::vector<engine::TokenId> tokens;
  std::vector<std::string> stop;     // that the chat template asks for
  std::optional<std::string> echo;   // text to begin each choice with; absent: no echo
  std::string asked_json;            // for the private store
  std::string template_system = {};  // what the chat template added to it
};

struct GenerationRequest {
  GenerationFields fields;
  std::vector<Prompt> prompts;  // choice p*n+c is choice c of prompt p
  std::string prompt_field;     // "messages" or "prompt", for errors
  std::unique_ptr<ReplyFormat> format;
  std::optional<Terms> share;  // its answer, the only one then, is shared once it is complete
};

/// Checks that the request fits the model, hands it to the engine and answers `call`.
/// @error 400 context_length_exceeded with the numbers; 403 the model's licence bars sharing; 429
/// the
///        queue is full; 503 no worker.
/// Then nothing runs, and the caller answers.
ApiResult<> start_generation(Context& context, const Call& call, pool::Lease lease,
                             GenerationRequest request);

/// "fp_" and a hash of what decides the answer beside the request. @source DESIGN.md 8.4.
std::string system_fingerprint(const catalog::Model& model, const engine::ModelInfo& info);

}  // namespace loam::api
