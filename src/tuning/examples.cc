#include "tuning/examples.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "dataset/row.h"
#include "tuning/chat_rows.h"

namespace loam::tuning {
namespace {

using engine::ChatMessage;
using engine::TokenId;

class Reader {
 public:
  Reader(engine::Engine& engine, const ExampleOptions& options)
      : engine_(engine), options_(options) {}

  Result<> take(ViewRow row) {
    if (row.split != dataset::split_name(dataset::Split::kTrain)) return {};
    Example example{std::move(row.record), {}, row.good};
    bool fits = true;
    for (auto& conversation : row.conversations) {
      auto text = answered_text(engine_, std::move(conversation));
      if (!text && text.error().code != ErrorCode::kInvalidArgument)
        return std::unexpected(text.error());
      if (!text) {
        ++out_.no_template;
        return {};
      }
      if (options_.learn_prompts) text->prompt_tokens = 1;
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

Result<Text> answered_text(engine::Engine& engine, std::vector<ChatMessage> messages) {
  const engine::RenderedChat whole = LOAM_TRY(engine.render(messages, false));
  messages.pop_back();
  const engine::RenderedChat prompt = LOAM_TRY(engine.render(messages, true));
  if (!whole.text.starts_with(prompt.text))
    return fail(ErrorCode::kInvalidArgument, "the answer does not follow its prompt");
  // A token may span the border: it counts as answer.
  const auto border = std::ranges::mismatch(whole.tokens, prompt.tokens).in1;
  const std::vector<TokenId>& ends = engine.info().end_tokens;
  const auto end = std::find_first_of(border, whole.tokens.end(), ends.begin(), ends.end());
  Text out;
  // What a template writes behind the end of an answer is never generated.
  out.tokens.assign(whole.tokens.begin(), end == whole.tokens.end() ? end : end + 1);
  out.prompt_tokens =
      std::max<std::size_t>(static_cast<std::size_t>(border - whole.tokens.begin()), 1);
  if (out.prompt_tokens >= out.tokens.size())
    return fail(ErrorCode::kInvalidArgument, "the answer is empty");
  return out;
}

Result<Examples> read_examples(const env::Path& file, engine::Engine& engine,
                               const ExampleOptions& options, const OnRead& on_read) {
  if (!engine.info().has_chat_template)
    return fail(ErrorCode::kUnsupported, "train: the model has no chat template",
                "choose an instruction-tuned model");
  Reader reader(engine, options);
  const auto read = options.form == RowForm::kView ? read_view : read_chat_rows;
  LOAM_TRY(
      read(file, options.stage, [&](ViewRow row) { return reader.take(std::move(row)); }, on_read));
  Examples out = reader.finish();
  if (out.items.empty())
    return fail(ErrorCode::kInvalidArgument,
                format("train: {} has nothing to learn from ({} too long for cutoff_len = {}, {} "
                       "not for this model's template)",
                       file.string(), out.too_long, options.tokens_max, out.no_template),
                options.form == RowForm::kView
                    ? "rows of split train are learned from; share more answers, or choose another "
                      "query for loam data build"
                    : "upload a file of shorter conversations");
  return out;
}

}  // namespace loam::tuning
