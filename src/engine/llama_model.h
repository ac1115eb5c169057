// Opening a GGUF file with llama.cpp, and what is in it. Home: llama_backend.cc only.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "engine/types.h"
#include "env/disk.h"

struct llama_model;
struct llama_adapter_lora;

namespace loam::engine {

struct LlamaModelFree {
  void operator()(llama_model* model) const;
};
using LlamaModel = std::unique_ptr<llama_model, LlamaModelFree>;

/// Maps the file that `file` is open on; its pages are shared with whoever maps it too. Opens no
/// other file.
/// @error Corrupt / Unsupported  with what the loader says; the file is not named.
Result<LlamaModel> open_llama_model(env::Fd file);

struct LlamaAdapterFree {
  void operator()(llama_adapter_lora* adapter) const;
};
using LlamaAdapter = std::unique_ptr<llama_adapter_lora, LlamaAdapterFree>;

/// Reads the LoRA that `file` is open on. It must be gone before its model is.
/// @error Corrupt / Unsupported  it is none, or does not fit the model; with what the loader says.
Result<LlamaAdapter> open_llama_adapter(llama_model* model, env::Fd file);

/// Everything of ModelInfo that the model alone decides; `context`, `context_total` and
/// `sequences_max` stay 0.
ModelInfo describe_llama_model(const llama_model* model);

/// How this model turns the vectors of a text's tokens into one.
enum class Pooling {
  kMean,   // a generating model: we take the mean of its last hidden states
  kModel,  // an embedding model: it has its own way
  kNone,   // a re-ranker: it has no vector to give
};
Pooling pooling_of(const llama_model* model);

/// The bytes of one token. @thread any.
std::string llama_piece(const llama_model* model, TokenId token, bool render_special);

}  // namespace loam::engine
