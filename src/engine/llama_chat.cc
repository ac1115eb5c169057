#ifdef LOAM_HAVE_LLAMA

#include "engine/llama_chat.h"

#include <common/chat.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <utility>

#include "base/format.h"

namespace loam::engine {
namespace {

constexpr std::size_t kReasonMax = 200;  // bytes of a template's own words in a message; chosen
constexpr std::size_t kQuoteMin = 4;     // shorter contents are in any text by chance; chosen

constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant",
                                                    "tool"};

Result<> validate(std::span<const ChatMessage> messages) {
  if (messages.empty()) {
    return fail(ErrorCode::kInvalidArgument, "render the conversation: it has no messages");
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (std::ranges::find(kRoles, messages[i].role) == kRoles.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  format("render the conversation: message {} has an unknown role", i),
                  "use system, developer, user, assistant or tool");
    }
  }
  return {};
}

/// Why a template refused, in its own words, unless those quote a message: an error's text is
/// logged, and a log holds no prompt.
std::string reason(std::string_view words, std::span<const ChatMessage> messages) {
  for (const auto& message : messages) {
    for (const std::string* part : {&message.content, &message.name}) {
      if (part->size() >= kQuoteMin && words.find(*part) != std::string_view::npos) {
        return "it raised an error";
      }
    }
  }
  std::string text;
  for (const char c : words.substr(0, kReasonMax)) text += c >= ' ' && c <= '~' ? c : ' ';
  return text;
}

common_chat_msg to_library(const ChatMessage& message) {
  common_chat_msg converted;
  converted.role = message.role;
  converted.content = message.content;
  converted.tool_name = message.name;
  return converted;
}

}  // namespace

struct LlamaChat::State {
  common_chat_templates_ptr templates;
};

LlamaChat::LlamaChat(std::unique_ptr<State> state) : state_(std::move(state)) {}
LlamaChat::~LlamaChat() = default;

Result<std::unique_ptr<LlamaChat>> LlamaChat::open(const llama_model* model) {
  if (llama_model_chat_template(model, nullptr) == nullptr) {
    return fail(ErrorCode::kUnsupported, "read the chat template: this model has none",
                "use /v1/completions, which sends the text as it is");
  }
  try {
    auto state = std::make_unique<State>();
    state->templates = common_chat_templates_init(model, "");
    return std::unique_ptr<LlamaChat>(new LlamaChat(std::move(state)));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kCorrupt,
                format("read the model's chat template: {}", reason(error.what(), {})));
  }
}

Result<RenderedChat> LlamaChat::render(std::span<const ChatMessage> messages,
                                       bool add_generation_prompt) const {
  LOAM_TRY(validate(messages));
  try {
    common_chat_templates_inputs inputs;
    inputs.add_generation_prompt = add_generation_prompt;
    inputs.messages.reserve(messages.size());
    for (const auto& message : messages) inputs.messages.push_back(to_library(message));
    auto rendered = common_chat_templates_apply(state_->templates.get(), inputs);
    return RenderedChat{.text = std::move(rendered.prompt),
                        .tokens = {},
                        .stop = std::move(rendered.additional_stops)};
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument,
                format("render the conversation: the model's chat template refuses it: {}",
                       reason(error.what(), messages)));
  }
}

std::string LlamaChat::source() const {
  return common_chat_templates_source(state_->templates.get());
}

}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
