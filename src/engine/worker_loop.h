// The worker's side of the conversation: messages in, scheduler steps, events out. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "engine/frames.h"
#include "engine/protocol.h"
#include "engine/scheduler.h"
#include "env/clock.h"

namespace loam::engine {

/// How a worker's loop ended; also the exit status of a worker process.
enum class WorkerEnd : int {
  kPolite = 0,        // asked to, or the node is gone
  kConfused = 65,     // the node sent what the protocol does not know
  kBroken = 70,       // the backend cannot go on
  kConfinement = 71,  // the process could not be confined; nothing was read
};

/// Serves one socket until the other side ends it. Waits without using the processor when there is
/// nothing to do; looks at the socket between two steps when there is. When the node does not
/// read, generation stops: what waits to be sent is bounded.
class WorkerLoop {
 public:
  /// `clock` must outlive this. `socket` must be non-blocking.
  WorkerLoop(env::Fd socket, env::Clock& clock);
  ~WorkerLoop();

  WorkerEnd run();

 private:
  struct Waiting {
    GenerateRequest request;
    std::int64_t since_ms = 0;
  };
  struct EmbedJob {
    protocol::Embed call;
    std::vector<Embedding> done;
  };

  bool has_work() const;
  bool congested() const;
  /// Waits for the socket, reads and answers. Empty: go on.
  std::optional<WorkerEnd> talk();
  std::optional<WorkerEnd> wait();
  std::optional<WorkerEnd> work();

  std::optional<WorkerEnd> handle(protocol::Hello message);
  std::optional<WorkerEnd> handle(protocol::Adapter message);
  std::optional<WorkerEnd> handle(protocol::Load message);
  std::optional<WorkerEnd> handle(protocol::Generate message);
  std::optional<WorkerEnd> handle(protocol::Cancel message);
  std::optional<WorkerEnd> handle(const protocol::Tokenize& message);
  std::optional<WorkerEnd> handle(const protocol::Detokenize& message);
  std::optional<WorkerEnd> handle(const protocol::Render& message);
  std::optional<WorkerEnd> handle(protocol::Embed message);
  std::optional<WorkerEnd> handle(protocol::Shutdown message);

  void submit_waiting();
  void embed_one();
  void begin(protocol::CallId id);
  /// Sends the result, or why there is none.
  template <class Message>
  void answer(protocol::CallId id, Result<Message> result);
  void send(const protocol::FromWorker& message);
  /// Sends what is waiting, for a moment even to a node that is slow to read: it says why this
  /// ends.
  void send_the_last();
  /// Sends what a step produced; the counters go first, so that they include it.
  void send_events();
  void send_stats();

  env::Fd socket_;
  env::Clock& clock_;
  FrameReader reader_;
  FrameWriter writer_;
  env::Fd adapter_;  // that came, until the model is loaded
  bool greeted_ = false;
  std::unique_ptr<Backend> backend_;
  LoadOptions options_;
  std::vector<std::pair<RequestId, Event>> events_;  // of the step under way
  std::unique_ptr<Scheduler> scheduler_;             // uses backend_ and events_
  std::deque<Waiting> waiting_;  // requests for which the scheduler had no room yet
  std::deque<EmbedJob> embeds_;
  std::int64_t stats_sent_ms_ = 0;
};

}  // namespace loam::engine
