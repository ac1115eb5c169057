// embed: text to a vector.
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "cli/background.h"
#include "cli/interrupt.h"
#include "cli/standard_input.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

struct EmbedOptions {
  std::optional<std::string> model;
  std::vector<std::string> words;
};

Result<std::string> text_of(const EmbedOptions& options) {
  std::string text;
  bool asked = options.words.empty() && stdin_is_given();
  for (const auto& word : options.words) {
    if (word == "-")
      asked = true;
    else
      text += (text.empty() ? "" : " ") + word;
  }
  if (asked) {
    const std::string input = LOAM_TRY(read_stdin());
    text += (text.empty() ? "" : "\n\n") + std::string(trim(input));
  }
  if (text.empty())
    return fail(ErrorCode::kInvalidArgument, "embed: no text was given",
                "for example: loam embed smollm2 \"some text\"");
  if (!is_valid_utf8(text))
    return fail(ErrorCode::kInvalidArgument, "embed: the text is not UTF-8");
  return text;
}

Result<int> embed(Invocation& invocation, const EmbedOptions& options) {
  const std::string text = LOAM_TRY(text_of(options));
  const auto endpoint = LOAM_TRY(ensure_node(invocation));
  const InterruptGuard guard;
  const NodeClient client(endpoint, InterruptGuard::interrupted);
  codec::Value body;
  body.set("model", *options.model);
  body.set("input", text);
  body.set("encoding_format", "float");
  const auto reply = LOAM_TRY(client.post("/v1/embeddings", body));
  const auto data = items_at(reply, "data");
  const auto* vector = data.empty() ? nullptr : data.front()->find("embedding");
  if (vector == nullptr) return fail(ErrorCode::kInternal, "embed: the node's reply has no vector");
  if (!invocation.globals.json) {
    invocation.console.json(*vector);
    return 0;
  }
  codec::Value value;
  value.set("model", text_at(reply, "model"));
  value.set("embedding", *vector);
  if (const auto* usage = reply.find("usage"); usage != nullptr)
    value.set("tokens", integer_at(*usage, "prompt_tokens"));
  invocation.console.json(value);
  return 0;
}

}  // namespace

Verb embed_verb() {
  const auto options = std::make_shared<EmbedOptions>();
  Verb verb;
  verb.name = "embed";
  verb.group = "Answers";
  verb.summary = "Turns text into a vector";
  verb.details =
      "Prints a JSON array of numbers of Euclidean norm 1; with --json an object with model and "
      "token count.";
  verb.examples = {"loam embed smollm2 \"a text\"", "cat page.txt | loam embed smollm2 -"};
  verb.arguments = {
      {"MODEL", "", &options->model, "A name of `loam ls`.", true, Offer::kModels},
      {"TEXT", "", &options->words, "The text; - reads it from stdin."},
  };
  verb.run = [options](Invocation& invocation) { return embed(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
