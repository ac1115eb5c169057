#include "tuning/examples.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "dataset/layout.h"
#include "dataset/row.h"

namespace loam::tuning {
namespace {

using engine::ChatMessage;
using engine::TokenId;

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

/// A line of a view.
struct Row {
  std::string record;
  std::string split;
  std::vector<std::vector<ChatMessage>> conversations;  // each ends in an answer
  bool good = true;
};

Result<Row> parse_row(std::string_view line, Stage stage) {
  const auto value = codec::parse_json(line);
  if (!value) return corrupt(value.error().message);
  const std::string* const record = text_of(*value, "id");
  const std::string* const split = text_of(*value, "split");
  if (record == nullptr || split == nullptr) return corrupt("a row has id and split");
  Row out{*record, *split, {}};
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

class Reader {
 public:
  Reader(engine::Engine& engine, const ExampleOptions& options)
      : engine_(engine), options_(options) {}

  Result<> take(std::string_view line) {
    Row row = LOAM_TRY(parse_row(line, options_.stage));
    if (row.split != dataset::split_name(dataset::Split::kTrain)) return {};
    Example example{std::move(row.record), {}, row.good};
    bool fits = true;
    for (auto& conversation : row.conversations) {
      auto text = text_of_conversation(std::move(conversation));
      if (!text && text.error().code != ErrorCode::kInvalidArgument)
        return std::unexpected(text.error());
      if (!text) {
        ++out_.no_template;
        return {};
      }
      fits = fits && text->tokens.size() <= options_.tokens_max;
      example.texts.push_back(*std::move(text));
    }
    if (fits)
      out_.items.push_back(std::move(example));
    else
      ++out_.too_long;
    return {};
  }

  Examples finish() { return std::move(out_); }

 private:
  /// @error InvalidArgument  the template refuses the conversation, or writes an answer in another
  ///        place than behind its prompt.
  Result<Text> text_of_conversation(std::vector<ChatMessage> messages) {
    const engine::RenderedChat whole = LOAM_TRY(engine_.render(messages, false));
    messages.pop_back();
    const engine::RenderedChat prompt = LOAM_TRY(engine_.render(messages, true));
    if (!whole.text.starts_with(prompt.text))
      return fail(ErrorCode::kInvalidArgument, "the answer does not follow its prompt");
    // A token may span the border: it counts as answer.
    const auto border = std::ranges::mismatch(whole.tokens, prompt.tokens).in1;
    const std::vector<TokenId>& ends = engine_.info().end_tokens;
    const auto end = std::find_first_of(border, whole.tokens.end(), ends.begin(), ends.end());
    Text out;
    // What a template writes behind the end of an answer is never generated.
    out.tokens.assign(whole.tokens.begin(), end == whole.tokens.end() ? end : end + 1);
    if (!options_.learn_prompts)
      out.prompt_tokens =
          std::max<std::size_t>(static_cast<std::size_t>(border - whole.tokens.begin()), 1);
    if (out.prompt_tokens >= out.tokens.size())
      return fail(ErrorCode::kInvalidArgument, "the answer is empty");
    return out;
  }

  engine::Engine& engine_;
  const ExampleOptions options_;
  Examples out_;
};

}  // namespace

std::size_t Example::tokens() const {
  std::size_t out = 0;
  for (const Text& text : texts) out += text.tokens.size();
  return out;
}

dataset::View view_of(Stage stage) {
  switch (stage) {
    case Stage::kSft: break;
    case Stage::kKto: return dataset::View::kKto;
    case Stage::kDpo: return dataset::View::kDpo;
  }
  return dataset::View::kSft;
}

Result<Examples> read_examples(const env::Path& file, engine::Engine& engine,
                               const ExampleOptions& options, const OnRead& on_read) {
  if (!engine.info().has_chat_template)
    return fail(ErrorCode::kUnsupported, "train: the model has no chat template",
                "choose an instruction-tuned model");
  const std::uint64_t bytes = LOAM_TRY(env::stamp(file)).size;
  dataset::FileReader lines(file);
  Reader reader(engine, options);
  std::uint64_t number = 0, done = 0;
  for (auto part = lines.next_lines(kReadAtOnce); !part.empty();
       part = lines.next_lines(kReadAtOnce)) {
    done += part.size();
    while (!part.empty()) {
      ++number;
      const auto end = std::min(part.find('\n'), part.size());
      if (auto taken = reader.take(part.substr(0, end)); !taken)
        return fail(taken.error().code,
                    format("{}:{}: {}", file.string(), number, taken.error().message),
                    taken.error().hint);
      part.remove_prefix(std::min(end + 1, part.size()));
    }
    if (!on_read(done, bytes)) return fail(ErrorCode::kCancelled, "train: stopped");
  }
  LOAM_TRY(lines.state());
  Examples out = reader.finish();
  if (out.items.empty())
    return fail(ErrorCode::kInvalidArgument,
                format("train: {} has nothing to learn from ({} too long for cutoff_len = {}, {} "
                       "not for this model's template)",
                       file.string(), out.too_long, options.tokens_max, out.no_template),
                "rows of split train are learned from; share more answers, or choose another "
                "query for loam data build");
  return out;
}

}  // namespace loam::tuning
