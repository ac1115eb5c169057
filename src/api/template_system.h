// The system message that a chat template adds by itself.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "env/guarded.h"

namespace loam::api {

/// Many templates put a system message of the model's publisher before a conversation that has
/// none. What is shared must show it (DESIGN.md 8.2), and no template says what it does. So it is
/// found by rendering a small conversation without a system message and with a marked one: what the
/// first has in the place of the mark was added, if the template gives the same prompt again when
/// that text is sent as a system message. Found once for each model and role of the first message,
/// then known by how a prompt begins. Thread-safe.
class TemplateSystem {
 public:
  /// What stands in `prompt`, the rendered `messages`, as a system message that is not among them;
  /// empty if there is none, or if it cannot be told apart: nothing is guessed. Waits for the
  /// engine the first time.
  std::string find(engine::Engine& engine, const crypto::Digest& model,
                   const std::vector<engine::ChatMessage>& messages, const std::string& prompt);

 private:
  struct Frame {
    std::string system;  // empty: the template adds none
    std::string head;    // what a prompt begins with that has it
  };
  static Result<Frame> look(engine::Engine& engine, const std::string& role);

  using Key = std::pair<crypto::Digest, std::string>;
  env::Guarded<std::map<Key, Frame>> frames_;
};

}  // namespace loam::api
