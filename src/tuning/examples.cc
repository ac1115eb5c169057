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

/// A line of sft.jsonl.
struct Row {
  std::string record;
  std::string split;
  std::vector<ChatMessage> messages;
};

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, std::string(what),
              "loam data verify DIR says what is wrong with the data set");
}

Result<Row> parse_row(std::string_view line) {
  const auto value = codec::parse_json(line);
  if (!value) return corrupt(value.error().message);
  const std::string* const record = text_of(*value, "id");
  const std::string* const split = text_of(*value, "split");
  const codec::Value* const messages = value->find("messages");
  if (record == nullptr || split == nullptr || messages == nullptr ||
      messages->as_array() == nullptr)
    return corrupt("a row has id, split and messages");
  Row out{*record, *split, {}};
  for (const codec::Value& message : *messages->as_array()) {
    const std::string* const role = text_of(message, "role");
    const std::string* const content = text_of(message, "content");
    if (role == nullptr || content == nullptr) return corrupt("a message has role and content");
    out.messages.push_back({*role, *content, ""});
  }
  if (out.messages.size() < 2 || out.messages.back().role != "assistant")
    return corrupt("a row ends in an answer to something");
  return out;
}

class Reader {
 public:
  Reader(engine::Engine& engine, const ExampleOptions& options)
      : engine_(engine), options_(options) {}

  Result<> take(std::string_view line) {
    Row row = LOAM_TRY(parse_row(line));
    if (row.split != dataset::split_name(dataset::Split::kTrain)) return {};
    auto example = example_of(std::move(row));
    if (!example && example.error().code != ErrorCode::kInvalidArgument)
      return std::unexpected(example.error());
    if (!example)
      ++out_.no_template;
    else if (example->tokens.size() > options_.tokens_max)
      ++out_.too_long;
    else
      out_.items.push_back(*std::move(example));
    return {};
  }

  Examples finish() { return std::move(out_); }

 private:
  /// @error InvalidArgument  the template refuses the conversation, or writes an answer in another
  ///        place than behind its prompt.
  Result<Example> example_of(Row row) {
    const engine::RenderedChat whole = LOAM_TRY(engine_.render(row.messages, false));
    row.messages.pop_back();
    const engine::RenderedChat prompt = LOAM_TRY(engine_.render(row.messages, true));
    if (!whole.text.starts_with(prompt.text))
      return fail(ErrorCode::kInvalidArgument, "the answer does not follow its prompt");
    // A token may span the border: it counts as answer.
    const auto border = std::ranges::mismatch(whole.tokens, prompt.tokens).in1;
    const std::vector<TokenId>& ends = engine_.info().end_tokens;
    const auto end = std::find_first_of(border, whole.tokens.end(), ends.begin(), ends.end());
    Example out{std::move(row.record), {}, 1};
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
