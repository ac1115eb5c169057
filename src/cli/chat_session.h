// A conversation at the keyboard as a state machine: lines in, what to do next out.
// Knows no terminal, file or node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/generation.h"
#include "codec/value.h"

namespace loam::cli {

class ChatSession {
 public:
  ChatSession(std::string model, GenerationSettings settings)
      : model_(std::move(model)), settings_(std::move(settings)) {}

  enum class Do {
    kRead,   // read the next line
    kPrint,  // print `text`, then read the next line
    kAsk,    // send messages() to the model, then call answered() or failed()
    kSave,   // write to_value() to the place named `text`
    kLoad,   // read the place named `text` and give it to load()
    kShare,  // share the last answer, under the licence named `text` if it names one
    kQuit,
  };
  struct Step {
    Do action = Do::kRead;
    std::string text;
  };

  Step take_line(std::string_view line);
  /// What stands before the next line: ">>> ", or "... " within three quotes.
  std::string_view prompt() const;
  /// Leaves an unfinished message of several lines (Ctrl-C).
  void drop_input();

  /// The model's answer to the last kAsk; one that was interrupted counts as far as it came.
  void answered(const std::string& text);
  /// No answer came: the question is taken back, so that it can be asked again.
  void failed();

  /// What `save` writes and `load` reads: {"model", "messages", "settings"}.
  codec::Value to_value() const;
  /// @error InvalidArgument  not such a value; the conversation stays as it was.
  Result<> load(const codec::Value& value);

  const std::string& model() const { return model_; }
  const std::vector<Message>& messages() const { return messages_; }
  const GenerationSettings& settings() const { return settings_; }
  bool verbose() const { return verbose_; }
  void set_verbose(bool verbose) { verbose_ = verbose; }

 private:
  Step command(std::string_view line);
  Step set_command(std::string_view rest);
  Step show_command() const;
  Step say(std::string text);

  std::string model_;
  GenerationSettings settings_;
  std::vector<Message> messages_;
  std::string block_;  // lines of an unfinished """ message
  bool in_block_ = false;
  bool verbose_ = false;
};

}  // namespace loam::cli
