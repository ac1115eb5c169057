#include "tuning/view_rows.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "dataset/layout.h"

namespace loam::tuning {
namespace {

using engine::ChatMessage;

constexpr std::size_t kReadAtOnce = std::size_t{1} << 20;  // bytes; chosen

const std::string* text_of(const codec::Value& value, std::string_view name) {
  const codec::Value* found = value.find(name);
  return found == nullptr ? nullptr : found->as_string();
}

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, std::string(what),
              "loam data verify DIR says what is wrong with the data set");
}

Result<std::vector<ChatMessage>> messages_at(const codec::Value& row, std::string_view name) {
  const codec::Value* const found = row.find(name);
  if (found == nullptr || found->as_array() == nullptr)
    return corrupt(format("a row has {}", name));
  std::vector<ChatMessage> out;
  for (const codec::Value& message : *found->as_array()) {
    const std::string* const role = text_of(message, "role");
    const std::string* const content = text_of(message, "content");
    if (role == nullptr || content == nullptr) return corrupt("a message has role and content");
    out.push_back({*role, *content, ""});
  }
  return out;
}

Result<ViewRow> parse_row(std::string_view line, Stage stage) {
  const auto value = codec::parse_json(line);
  if (!value) return corrupt(value.error().message);
  const std::string* const record = text_of(*value, "id");
  const std::string* const split = text_of(*value, "split");
  if (record == nullptr || split == nullptr) return corrupt("a row has id and split");
  ViewRow out{*record, *split, {}};
  if (stage == Stage::kSft) {
    out.conversations.push_back(LOAM_TRY(messages_at(*value, "messages")));
  } else {
    const auto prompt = LOAM_TRY(messages_at(*value, "prompt"));
    const std::vector<std::string_view> answers =
        stage == Stage::kKto ? std::vector<std::string_view>{"completion"}
                             : std::vector<std::string_view>{"chosen", "rejected"};
    for (const std::string_view name : answers) {
      auto conversation = prompt;
      for (ChatMessage& message : LOAM_TRY(messages_at(*value, name)))
        conversation.push_back(std::move(message));
      out.conversations.push_back(std::move(conversation));
    }
  }
  if (stage == Stage::kKto) {
    const codec::Value* const label = value->find("label");
    if (label == nullptr || label->as_bool() == nullptr) return corrupt("a row has a label");
    out.good = *label->as_bool();
  }
  for (const auto& conversation : out.conversations)
    if (conversation.size() < 2 || conversation.back().role != "assistant")
      return corrupt("a row ends in an answer to something");
  return out;
}

}  // namespace

dataset::View view_of(Stage stage) {
  switch (stage) {
    case Stage::kSft: break;
    case Stage::kKto: return dataset::View::kKto;
    case Stage::kDpo: return dataset::View::kDpo;
  }
  return dataset::View::kSft;
}

Result<> read_each_line(const env::Path& file, const OnLine& on_line, const OnRead& on_read) {
  const std::uint64_t bytes = LOAM_TRY(env::stamp(file)).size;
  dataset::FileReader lines(file);
  std::uint64_t number = 0, done = 0;
  for (auto part = lines.next_lines(kReadAtOnce); !part.empty();
       part = lines.next_lines(kReadAtOnce)) {
    done += part.size();
    while (!part.empty()) {
      ++number;
      const auto end = std::min(part.find('\n'), part.size());
      if (const auto taken = on_line(part.substr(0, end)); !taken)
        return fail(taken.error().code,
                    format("{}:{}: {}", file.string(), number, taken.error().message),
                    taken.error().hint);
      part.remove_prefix(std::min(end + 1, part.size()));
    }
    if (!on_read(done, bytes)) return fail(ErrorCode::kCancelled, "stopped");
  }
  return lines.state();
}

Result<> read_view(const env::Path& file, Stage stage, const OnRow& on_row, const OnRead& on_read) {
  return read_each_line(
      file,
      [&](std::string_view line) -> Result<> { return on_row(LOAM_TRY(parse_row(line, stage))); },
      on_read);
}

}  // namespace loam::tuning
