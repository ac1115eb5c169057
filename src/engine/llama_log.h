// Takes what llama.cpp writes to its log. Home: llama_backend.cc and llama_chat.cc only.
#pragma once

#include <string>

namespace loam::engine {

/// Sends llama.cpp's log lines to ours, all at debug: its warnings are about limits that we set on
/// purpose, and why a call failed is in that call's Error. The chat templates' own log, which may
/// quote a prompt, is silenced. Call before anything else of the library; may be repeated.
void route_llama_log();

/// While it lives, keeps what the library calls errors, so that a caller can say why something
/// failed. At most one at a time in a process.
class LlamaErrors {
 public:
  LlamaErrors();
  ~LlamaErrors();
  LlamaErrors(const LlamaErrors&) = delete;
  LlamaErrors& operator=(const LlamaErrors&) = delete;

  /// The lines so far, joined, printable and short; empty if there were none.
  std::string text() const;
};

}  // namespace loam::engine
