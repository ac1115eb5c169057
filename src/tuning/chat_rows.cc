#include "tuning/chat_rows.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "dataset/row.h"

namespace loam::tuning {
namespace {

using engine::ChatMessage;

constexpr std::array<std::string_view, 3> kRoles = {"system", "user", "assistant"};

struct Turn {
  ChatMessage message;
  bool learned = true;
};

std::unexpected<Error> wrong(std::string what) {
  return fail(ErrorCode::kInvalidArgument, std::move(what));
}

/// What this program cannot teach is refused: an answer learned without it would be another one.
Result<> refuse_members(const codec::Value& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const codec::Value* const found = object.find(name);
    if (found == nullptr || found->is_null()) continue;
    if (found->as_array() != nullptr && found->as_array()->empty()) continue;
    return fail(ErrorCode::kUnsupported, format("{} is not offered by this version", name),
                "leave it out");
  }
  return {};
}

Result<Turn> parse_turn(const codec::Value& value) {
  const auto text = [&](std::string_view name) {
    const codec::Value* const found = value.find(name);
    return found == nullptr ? nullptr : found->as_string();
  };
  if (value.as_object() == nullptr) return wrong("a message must be an object");
  LOAM_TRY(refuse_members(value, {"tool_calls", "function_call"}));
  const std::string* const role = text("role");
  if (role == nullptr || std::ranges::find(kRoles, *role) == kRoles.end())
    return wrong("a message's role must be system, user or assistant");
  const std::string* const content = text("content");
  if (content == nullptr) return wrong("a message's content must be a string");
  Turn out{{*role, *content, ""}, *role == "assistant"};
  const codec::Value* const weight = value.find("weight");
  if (weight == nullptr || weight->is_null()) return out;
  const std::int64_t* const number = weight->as_int();
  if (*role != "assistant" || number == nullptr || (*number != 0 && *number != 1))
    return wrong("weight must be 0 or 1, and stand in a message of the assistant");
  out.learned = *number == 1;
  return out;
}

Result<std::vector<Turn>> parse_turns(const codec::Value& object, std::string_view name) {
  const codec::Value* const found = object.find(name);
  if (found == nullptr || found->as_array() == nullptr)
    return wrong(format("{} must be an array of messages", name));
  if (found->as_array()->size() > kChatMessagesMax)
    return wrong(format("{} must hold {} messages at most", name, kChatMessagesMax));
  std::vector<Turn> out;
  for (const codec::Value& message : *found->as_array())
    out.push_back(LOAM_TRY(parse_turn(message)));
  return out;
}

ViewRow train_row(std::vector<std::vector<ChatMessage>> conversations) {
  ViewRow out;
  out.split = dataset::split_name(dataset::Split::kTrain);
  out.conversations = std::move(conversations);
  return out;
}

Result<std::vector<ViewRow>> answered_rows(const codec::Value& line) {
  LOAM_TRY(refuse_members(line, {"tools", "functions"}));
  std::vector<Turn> turns = LOAM_TRY(parse_turns(line, "messages"));
  if (turns.size() < 2 || turns.back().message.role != "assistant")
    return wrong("messages must end in a message of the assistant, which answers to something");
  std::vector<ViewRow> out;
  std::vector<ChatMessage> so_far;
  for (Turn& turn : turns) {
    so_far.push_back(std::move(turn.message));
    if (turn.learned && so_far.size() > 1) out.push_back(train_row({so_far}));
  }
  if (out.empty()) return wrong("every message of the assistant has weight 0");
  return out;
}

Result<std::vector<ViewRow>> compared_rows(const codec::Value& line) {
  const codec::Value* const input = line.find("input");
  if (input == nullptr || input->as_object() == nullptr)
    return wrong("input must be an object with messages");
  LOAM_TRY(refuse_members(*input, {"tools", "functions"}));
  std::vector<ChatMessage> prompt;
  for (Turn& turn : LOAM_TRY(parse_turns(*input, "messages")))
    prompt.push_back(std::move(turn.message));
  if (prompt.empty()) return wrong("input.messages must not be empty");
  std::vector<std::vector<ChatMessage>> conversations;
  for (const std::string_view name : {"preferred_output", "non_preferred_output"}) {
    std::vector<Turn> answer = LOAM_TRY(parse_turns(line, name));
    if (answer.size() != 1 || answer.front().message.role != "assistant")
      return wrong(format("{} must be one message of the assistant", name));
    conversations.push_back(prompt);
    conversations.back().push_back(std::move(answer.front().message));
  }
  std::vector<ViewRow> out;
  out.push_back(train_row(std::move(conversations)));
  return out;
}

}  // namespace

Result<std::vector<ViewRow>> parse_chat_line(std::string_view line, Stage stage) {
  if (line.size() > kChatLineBytesMax)
    return wrong(format("longer than {} bytes", kChatLineBytesMax));
  const auto value = codec::parse_json(line);
  if (!value) return wrong(format("no JSON: {}", value.error().message));
  if (value->as_object() == nullptr) return wrong("must be a JSON object");
  switch (stage) {
    case Stage::kSft: return answered_rows(*value);
    case Stage::kDpo: return compared_rows(*value);
    case Stage::kKto: break;
  }
  return fail(ErrorCode::kUnsupported, "thumbs have no form in such a file",
              "learn from a data set, or by pairs");
}

Result<> read_chat_rows(const env::Path& file, Stage stage, const OnRow& on_row,
                        const OnRead& on_read) {
  std::size_t number = 0;
  return read_each_line(
      file,
      [&](std::string_view line) -> Result<> {
        ++number;
        for (ViewRow& row : LOAM_TRY(parse_chat_line(line, stage))) {
          row.record = format("line {}", number);
          LOAM_TRY(on_row(std::move(row)));
        }
        return {};
      },
      on_read);
}

Result<std::size_t> check_chat_rows(std::string_view content, Stage stage) {
  std::size_t number = 0, rows = 0;
  while (!content.empty()) {
    ++number;
    const auto end = std::min(content.find('\n'), content.size());
    const auto found = parse_chat_line(content.substr(0, end), stage);
    if (!found)
      return fail(found.error().code, format("line {}: {}", number, found.error().message),
                  found.error().hint);
    rows += found->size();
    content.remove_prefix(std::min(end + 1, content.size()));
  }
  if (rows == 0) return wrong("the file is empty");
  return rows;
}

}  // namespace loam::tuning
