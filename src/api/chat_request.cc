#include "api/chat_request.h"

#include <array>

#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

constexpr std::size_t kNameBytesMax = 256;

ApiResult<std::string> read_role(const Fields& message) {
  std::string role = LOAM_TRY(message.required_text("role", kNameBytesMax));
  if (role == "developer") return std::string("system");
  for (const char* known : {"system", "user", "assistant", "tool"})
    if (role == known) return role;
  return refuse(
      bad_field(message.full_name("role"), "must be system, developer, user, assistant or tool"));
}

ApiResult<std::string> read_part(const codec::Value& value, const std::string& name) {
  const Fields part = LOAM_TRY(Fields::of(value, name));
  const std::string type = LOAM_TRY(part.required_text("type", kNameBytesMax));
  const bool is_text = type == "text";
  if (!is_text && type != "refusal") {
    for (const char* known : {"image_url", "input_audio", "file", "video_url", "audio_url"})
      if (type == known)
        return refuse(unsupported_field(
            name, format("{} parts are not offered by this version, only text", type)));
    return refuse(bad_field(part.full_name("type"), "must be text"));
  }
  const std::string_view field = is_text ? "text" : "refusal";
  auto text = LOAM_TRY(part.text(field, SIZE_MAX));
  if (!text) return refuse(bad_field(part.full_name(field), "is missing; it must be a string"));
  return *std::move(text);
}

ApiResult<std::string> read_content(const Fields& message) {
  const std::string name = message.full_name("content");
  const codec::Value* content = message.raw("content");
  if (content == nullptr)
    return refuse(bad_field(name, "is missing; it must be a string or an array of text parts"));
  if (const std::string* text = content->as_string()) return *text;
  const codec::Array* parts = content->as_array();
  if (parts == nullptr)
    return refuse(bad_field(name, "must be a string or an array of text parts"));
  if (parts->empty()) return refuse(bad_field(name, "must not be empty"));
  std::string joined;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    if (i > 0) joined += '\n';
    joined += LOAM_TRY(read_part((*parts)[i], format("{}[{}]", name, i)));
  }
  return joined;
}

ApiResult<engine::ChatMessage> read_message(const codec::Value& value, const std::string& name) {
  const Fields message = LOAM_TRY(Fields::of(value, name));
  engine::ChatMessage out;
  out.role = LOAM_TRY(read_role(message));
  for (const char* field : {"tool_calls", "function_call", "audio"}) {
    const codec::Value* used = message.raw(field);
    if (used == nullptr || (used->as_array() != nullptr && used->as_array()->empty())) continue;
    return refuse(unsupported_field(message.full_name(field), "is not offered by this version"));
  }
  out.content = LOAM_TRY(read_content(message));
  out.name = LOAM_TRY(message.text("name", kNameBytesMax)).value_or("");
  return out;
}

ApiResult<> read_limits(const Fields& fields, GenerationFields& out) {
  auto tokens = LOAM_TRY(fields.integer("max_tokens", 1, UINT32_MAX));
  if (const auto newer = LOAM_TRY(fields.integer("max_completion_tokens", 1, UINT32_MAX))) {
    tokens = newer;
    out.tokens_max_name = "max_completion_tokens";
  }
  if (tokens) out.tokens_max = static_cast<std::uint32_t>(*tokens);
  const bool wanted = LOAM_TRY(fields.boolean("logprobs")).value_or(false);
  const auto top = LOAM_TRY(fields.integer("top_logprobs", 0, kTopLogprobsMax));
  if (!wanted && top.value_or(0) > 0)
    return refuse(bad_field(fields.full_name("top_logprobs"), "only with \"logprobs\": true"));
  if (wanted) out.top_logprobs = static_cast<std::uint32_t>(top.value_or(0));
  return {};
}

}  // namespace

ApiResult<std::vector<engine::ChatMessage>> read_messages(const codec::Value& messages) {
  const codec::Array* list = messages.as_array();
  if (list == nullptr) return refuse(bad_field("messages", "must be an array"));
  if (list->empty()) return refuse(bad_field("messages", "must have at least one message"));
  std::vector<engine::ChatMessage> out;
  out.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i)
    out.push_back(LOAM_TRY(read_message((*list)[i], format("messages[{}]", i))));
  return out;
}

ApiResult<ChatRequest> parse_chat_request(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  ChatRequest out;
  out.generation = LOAM_TRY(read_generation_fields(fields));
  LOAM_TRY(read_limits(fields, out.generation));
  const codec::Value* messages = fields.raw("messages");
  if (messages == nullptr) return refuse(bad_field("messages", "is missing"));
  out.messages = LOAM_TRY(read_messages(*messages));
  out.messages_json = codec::to_json(*messages);
  return out;
}

}  // namespace loam::api
