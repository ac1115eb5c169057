// run: one prompt, one answer.

#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "cli/background.h"
#include "cli/chat.h"
#include "cli/exit_code.h"
#include "cli/generation.h"
#include "cli/interrupt.h"
#include "cli/standard_input.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

struct RunOptions {
  std::optional<std::string> model;
  std::vector<std::string> words;
  GenerationSettings settings;
  bool raw = false;
  bool verbose = false;
};

/// The words of the command line, and behind them what stdin holds if it was asked for ("-") or is
/// a pipe or a file.
Result<std::string> prompt_of(const RunOptions& options) {
  std::string prompt;
  bool asked = false;
  for (const auto& word : options.words) {
    if (word == "-") {
      asked = true;
    } else {
      prompt += (prompt.empty() ? "" : " ") + word;
    }
  }
  if (!asked && !stdin_is_given()) return prompt;
  const std::string input = LOAM_TRY(read_stdin());
  const std::string_view text = trim(input);
  if (text.empty()) return prompt;
  return prompt.empty() ? std::string(text) : format("{}\n\n{}", prompt, text);
}

codec::Value answer_value(const GeneratedAnswer& answer) {
  codec::Value value;
  value.set("id", answer.id);
  value.set("model", answer.model);
  value.set("text", answer.text);
  value.set("finish_reason",
            answer.finish_reason.empty() ? codec::Value("interrupted") : answer.finish_reason);
  codec::Value usage;
  usage.set("prompt_tokens", answer.prompt_tokens);
  usage.set("completion_tokens", answer.output_tokens);
  value.set("usage", std::move(usage));
  value.set("first_ms", static_cast<std::int64_t>(answer.first_ms));
  value.set("total_ms", static_cast<std::int64_t>(answer.total_ms));
  return value;
}

int print_end(Console& console, const RunOptions& options, const GeneratedAnswer& answer) {
  if (console.options().json)
    console.json(answer_value(answer));
  else if (!answer.text.ends_with('\n'))
    console.out("\n");
  if (options.verbose && answer.output_tokens > 0) console.warn(figures(answer));
  if (answer.finish_reason.empty()) return static_cast<int>(ExitCode::kInterrupted);
  if (answer.finish_reason == "length")
    console.note("the answer was cut at the token limit (--max-tokens, or the model's context)");
  return 0;
}

Result<int> run(Invocation& invocation, const RunOptions& options) {
  const std::string prompt = LOAM_TRY(prompt_of(options));
  if (prompt.empty()) {
    if (invocation.console.options().in_is_terminal)
      return run_chat(invocation, {options.model, options.settings, options.verbose});
    return fail(ErrorCode::kInvalidArgument, "run: no prompt was given",
                format("for example: loam run {} \"Why is the sky blue?\"", *options.model));
  }
  if (!is_valid_utf8(prompt))
    return fail(ErrorCode::kInvalidArgument, "run: the prompt is not UTF-8 text",
                "convert it first, for example with iconv");
  if (options.raw && options.settings.system)
    return fail(ErrorCode::kInvalidArgument, "run: --raw has no place for a system prompt",
                "put it into the prompt, or leave --raw out");
  const auto endpoint = LOAM_TRY(ensure_node(invocation));
  const InterruptGuard guard;
  const NodeClient client(endpoint, InterruptGuard::interrupted);
  Console& console = invocation.console;
  const Route route = options.raw ? Route::kRaw : Route::kChat;
  const codec::Value body = options.raw
                                ? raw_body(*options.model, prompt, options.settings)
                                : chat_body(*options.model, {{"user", prompt}}, options.settings);
  console.progress("waiting for the model ...");
  const auto answer =
      LOAM_TRY(generate(client, route, body, invocation.clock, [&](std::string_view text) {
        if (console.options().json) return;
        // A terminal obeys what it is shown; a model's answer is nobody to obey.
        console.out(console.options().out_is_terminal ? printable(text) : std::string(text));
      }));
  console.progress("");
  return print_end(console, options, answer);
}

}  // namespace

Verb run_verb() {
  const auto options = std::make_shared<RunOptions>();
  Verb verb;
  verb.name = "run";
  verb.group = "Answers";
  verb.summary = "Answers a prompt and prints the answer as it is generated";
  verb.details =
      "What is piped in is added behind the prompt, or is the prompt. Without any prompt on a "
      "terminal a chat begins. Starts a node in the background if none runs. Ctrl-C stops the "
      "answer.";
  verb.examples = {
      "loam run smollm2 \"Why is the sky blue?\"",
      "git diff | loam run smollm2 \"Write a commit message for this change\"",
      "loam run smollm2 --seed 1 --temperature 0 --json \"Say hello\"",
  };
  verb.arguments = {
      {"MODEL", "", &options->model, "A name of `loam ls`.", true, Offer::kModels},
      {"PROMPT", "", &options->words, "The prompt; - reads it from stdin."},
  };
  for (auto& argument : generation_arguments(options->settings))
    verb.arguments.push_back(std::move(argument));
  verb.arguments.push_back(
      {"--raw", "", &options->raw, "Continue the prompt as it is, without the chat template."});
  verb.arguments.push_back(
      {"-v,--verbose", "", &options->verbose, "Show tokens, times and speed on stderr."});
  verb.run = [options](Invocation& invocation) { return run(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
