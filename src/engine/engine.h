// Engine: one loaded model as the rest of the node sees it.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/backend.h"
#include "engine/types.h"
#include "env/disk.h"

namespace loam::engine {

/// Gets every event of one request, in order, the last being RequestDone or RequestFailed.
/// @thread the engine's event thread: must not block, must not call back into the Engine but for
///         cancel().
using EventSink = std::function<void(Event)>;

/// All calls are thread-safe. The blocking ones wait for the worker process at most their deadline
/// and fail with Unavailable if it dies meanwhile; the next call starts a fresh worker (after a
/// backoff that grows with repeated crashes).
class Engine {
 public:
  virtual ~Engine() = default;

  /// Constant once loaded.
  virtual const ModelInfo& info() const = 0;

  virtual Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                                bool add_bos) = 0;
  /// The bytes of the tokens one after another, special tokens rendered.
  virtual Result<std::string> detokenize(const std::vector<TokenId>& tokens) = 0;
  virtual Result<RenderedChat> render(const std::vector<ChatMessage>& messages,
                                      bool add_generation_prompt) = 0;
  virtual Result<std::vector<Embedding>> embed(const std::vector<std::vector<TokenId>>& inputs) = 0;

  /// Queues the request and returns its id; everything else comes through `sink`.
  /// @error InvalidArgument  prompt and tokens_max do not fit ModelInfo::context, a token outside
  ///                         the vocabulary, no prompt.
  /// @error ResourceExhausted  queue full. @error Unavailable  no worker; `sink` is not called.
  virtual Result<RequestId> generate(GenerateRequest request, EventSink sink) = 0;
  /// Frees the request's sequences within one step. No further event follows, unless one is already
  /// on its way. Unknown ids are ignored.
  virtual void cancel(RequestId id) = 0;

  virtual EngineStats stats() = 0;
  /// True after the worker died for good (its restarts failed); the reason is in `why`.
  virtual bool broken(std::string* why) = 0;
};

/// How an Engine gets its model.
struct EngineSource {
  std::string name;  // for messages: the model's name
  env::Fd file;      // open for reading; what is in it is what is loaded. Invalid: the fake backend
  env::Path path;    // for messages: where the file lies
  env::Fd adapter = {};  // a LoRA for the model, open for reading; invalid: none
  LoadOptions load;
  int fake_step_ms = 0;
  std::stop_token stop;  // ends a load that is under way
};

/// Starts a worker process (`program` with the hidden verb, see worker.h), hands it the open file
/// and waits until the model is loaded, at most `load_timeout_ms`.
/// @error Corrupt / Unsupported  the loader refused the file; message names it.
/// @error DeadlineExceeded  loading took too long (a hostile file can loop); the worker was killed.
/// @error Unavailable  the worker died while loading (message names the file), or `source.stop`.
Result<std::unique_ptr<Engine>> start_worker_engine(const env::Path& program, EngineSource source,
                                                    std::int64_t load_timeout_ms);

/// The same worker loop in a thread of this process on the fake backend: for unit tests and tsan.
Result<std::unique_ptr<Engine>> start_fake_engine(const LoadOptions& options, int step_ms = 0);

}  // namespace loam::engine
