// A model's own chat template, rendered by the template engine that llama.cpp brings along.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/types.h"

struct llama_model;

namespace loam::engine {

class LlamaChat {
 public:
  /// Parses the template in the model's file. `model` must outlive this.
  /// @error Unsupported  the model has none. @error Corrupt  it cannot be parsed.
  static Result<std::unique_ptr<LlamaChat>> open(const llama_model* model);
  ~LlamaChat();

  /// What the template makes of the messages, without the model's first token if the vocabulary
  /// adds that by itself. `tokens` is left empty. A hostile template may never return: the caller
  /// has a deadline.
  /// @error InvalidArgument  no messages, an unknown role, or the template refuses.
  Result<RenderedChat> render(std::span<const ChatMessage> messages,
                              bool add_generation_prompt) const;

  /// The template's source text.
  std::string source() const;

 private:
  struct State;
  explicit LlamaChat(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::engine
