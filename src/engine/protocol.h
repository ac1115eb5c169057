// The messages between the node and a worker process, as values. Bytes:
// docs/formats/worker-protocol.md. Both sides parse strictly: a node must not trust a worker that a
// hostile model file took over.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"
#include "engine/backend.h"
#include "engine/types.h"

namespace loam::engine::protocol {

/// Raised by every change of the messages: node and worker must be of the same build's making.
inline constexpr std::uint32_t kVersion = 2;

/// Limits that both sides hold; what lies beyond is refused before it is sent. Chosen: far above
/// what the HTTP edge lets in, far below what would hurt the node.
inline constexpr std::size_t kFrameBytesMax = 64U << 20;
inline constexpr std::size_t kTokensMax = 4U << 20;  // in one list
inline constexpr std::size_t kChoicesMax = 256;
inline constexpr std::size_t kStopsMax = 256;
inline constexpr std::size_t kMessagesMax = 65'536;
inline constexpr std::size_t kEmbedInputsMax = 4'096;
inline constexpr std::size_t kTopLogprobsMax = 20;
inline constexpr std::size_t kErrorBytesMax = 4'096;
inline constexpr std::size_t kNameBytesMax = 1'024;  // a role, a name

/// Matches an answer to its call; unique while a worker lives.
using CallId = Strong<struct CallIdTag, std::uint64_t>;

/// First message in both directions.
struct Hello {
  std::uint32_t version = kVersion;
};

/// Before Load, if the model is to have an adapter: its open file travels with it.
struct Adapter {};
/// The open model file travels with it, unless `fake`.
struct Load {
  LoadOptions options;
  bool fake = false;
  std::uint32_t fake_step_ms = 0;
  std::uint64_t memory_bytes_max = 0;  // of address space; 0: no limit
};
struct Loaded {
  ModelInfo info;
};
struct LoadFailed {
  Error error;
};

struct Generate {
  GenerateRequest request;
};
struct Cancel {
  RequestId id;
};
struct RequestEvent {
  RequestId id;
  Event event;
};

/// Calls: each is answered by CallStarted when its turn comes, then by its result or CallFailed.
struct Tokenize {
  CallId id;
  std::string text;
  SpecialTokens special = SpecialTokens::kPlainText;
  bool add_bos = false;
};
struct Detokenize {
  CallId id;
  std::vector<TokenId> tokens;
};
struct Render {
  CallId id;
  std::vector<ChatMessage> messages;
  bool add_generation_prompt = false;
};
struct Embed {
  CallId id;
  std::vector<std::vector<TokenId>> inputs;
};

struct CallStarted {
  CallId id;
};
struct Tokenized {
  CallId id;
  std::vector<TokenId> tokens;
};
struct Detokenized {
  CallId id;
  std::string bytes;  // not necessarily UTF-8
};
struct Rendered {
  CallId id;
  RenderedChat chat;
};
struct Embedded {
  CallId id;
  std::vector<Embedding> embeddings;
};
struct CallFailed {
  CallId id;
  Error error;
};

/// Pushed while there is work, a few times a second; also the worker's sign of life.
struct Stats {
  EngineStats stats;
};

/// Asks the worker to end.
struct Shutdown {};

using ToWorker = std::variant<Hello, Adapter, Load, Generate, Cancel, Tokenize, Detokenize, Render,
                              Embed, Shutdown>;
using FromWorker = std::variant<Hello, Loaded, LoadFailed, RequestEvent, CallStarted, Tokenized,
                                Detokenized, Rendered, Embedded, CallFailed, Stats>;

/// One deterministic CBOR map. Broken UTF-8 in texts is replaced and errors are cut to their
/// limits; the caller checks the size against kFrameBytesMax.
Bytes encode(const ToWorker& message);
Bytes encode(const FromWorker& message);

/// Strict: a known type, exactly its fields, each of its type and within its limits.
/// @error Corrupt  anything else; the message names type and field.
Result<ToWorker> parse_to_worker(ByteView bytes);
Result<FromWorker> parse_from_worker(ByteView bytes);

/// True for the last event of a request.
bool is_last(const Event& event);

}  // namespace loam::engine::protocol
