// A data set's conversations as the model reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "env/disk.h"
#include "train/embedding.h"
#include "tuning/view_rows.h"

namespace loam::tuning {

/// A conversation that ends in an answer: earlier answers in it are records of their own, with
/// ratings of their own.
struct Text {
  std::vector<train::Token> tokens;
  std::size_t prompt_tokens = 1;  // those behind them are the answer; 1 at least
  std::size_t answer_tokens() const { return tokens.size() - prompt_tokens; }
};

/// What is learned from a row.
struct Example {
  std::string record;       // its id in text
  std::vector<Text> texts;  // one; for stage dpo the better answer and the worse one
  bool good = true;         // for stage kto: whether the answer was liked
  std::size_t tokens() const;
};

struct Examples {
  std::vector<Example> items;   // in the order of the file
  std::size_t too_long = 0;     // left out: more tokens than allowed
  std::size_t no_template = 0;  // left out: the model's chat template refuses the conversation
};

/// How the rows of a file are written.
enum class RowForm : std::uint8_t { kView, kChat };  // view_rows.h, chat_rows.h

struct ExampleOptions {
  Stage stage = Stage::kSft;
  RowForm form = RowForm::kView;
  std::size_t tokens_max = 512;  // of a text
  bool learn_prompts = false;    // all tokens, not those of the answer only
};

/// `messages`, the last of which is an answer, as `engine`'s model reads them when it serves; the
/// answer is followed by the token that ends it.
/// @error InvalidArgument  the model's chat template refuses them, or writes an answer in another
///        place than behind its prompt; the answer is empty. What the engine returns.
Result<Text> answered_text(engine::Engine& engine, std::vector<engine::ChatMessage> messages);

/// The rows of split `train` in `file`, a data set's view of the stage or somebody's own file, each
/// as answered_text() gives it.
/// @error Corrupt  names the line. InvalidArgument  there is nothing to learn from. Cancelled. What
///        the engine returns. Unsupported  the model has no chat template.
Result<Examples> read_examples(const env::Path& file, engine::Engine& engine,
                               const ExampleOptions& options, const OnRead& on_read);

}  // namespace loam::tuning
