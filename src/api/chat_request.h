// POST /v1/chat/completions, parsed. Pure.
#pragma once

#include <string>
#include <vector>

#include "api/generation_fields.h"

namespace loam::api {

struct ChatRequest {
  GenerationFields generation;
  std::vector<engine::ChatMessage> messages;  // at least one; text only
  std::string messages_json;                  // as they were asked
};

/// Messages as a request has them, at least one; names "messages[2].role" in errors.
/// @error 400.
ApiResult<std::vector<engine::ChatMessage>> read_messages(const codec::Value& messages);

/// @error 400 naming the field that is wrong or not offered.
ApiResult<ChatRequest> parse_chat_request(const codec::Value& body);

}  // namespace loam::api
