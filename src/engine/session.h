// Session: what is under way with one worker. A new worker, a new session.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/frames.h"
#include "engine/protocol.h"
#include "env/clock.h"

namespace loam::engine {

/// How long a worker may take, and how often it may die. Tests shorten them.
struct SupervisionLimits {
  std::int64_t step_ms = 60'000;        // without a sign of life while there is work
  std::int64_t call_ms = 10'000;        // one tokenize, detokenize or render, from its turn on
  std::int64_t embed_ms = 600'000;      // one embed, all its inputs
  std::int64_t ready_ms = 10'000;       // a call waits for a worker that is being restarted
  std::int64_t goodbye_ms = 2'000;      // to end when asked to
  std::int64_t backoff_first_ms = 500;  // before the second restart; the first comes at once
  std::int64_t backoff_ms_max = 30'000;
  std::size_t crashes_max = 5;  // within the window, without one finished request between
  std::int64_t crash_window_ms = 60'000;
};

/// Thread-safe where not said otherwise. Sinks are called by the supervisor's thread only.
class Session {
 public:
  /// `socket` must stay open until close(); `wake` makes the supervisor look at the session;
  /// `clock` must outlive this.
  Session(int socket, std::string label, SupervisionLimits limits, env::Clock& clock,
          std::function<void()> wake);

  /// Puts a message on its way. @error InvalidArgument  larger than a message may be.
  /// @error ResourceExhausted  the worker does not read. @error Unavailable  the worker is gone.
  Result<> send(const protocol::ToWorker& message, env::Fd attachment = {});

  /// Sends the call that `make` makes of an id and waits for its answer, which is a `Answer` or an
  /// error; at most until the worker's deadlines end the wait.
  template <class Answer>
  Result<Answer> call(std::string what, std::int64_t time_ms,
                      const std::function<protocol::ToWorker(protocol::CallId)>& make) {
    const auto expected = protocol::FromWorker(Answer{}).index();
    auto answer = LOAM_TRY(exchange(std::move(what), time_ms, expected, make));
    return std::get<Answer>(std::move(answer));
  }

  Result<> generate(GenerateRequest request, EventSink sink);
  void cancel(RequestId id);
  EngineStats stats();
  /// Requests that came to their proper end so far.
  std::uint64_t finished();

  /// The worker is loaded: its answers are checked against `info` from now on.
  void set_loaded(const ModelInfo& info, const LoadOptions& options);

  // For the supervisor's thread:

  /// Sends what waits. @error Unavailable  the worker is gone.
  Result<> flush();
  bool has_unsent();
  bool busy();
  /// Takes in a message of a loaded worker and hands it to whom it concerns.
  /// @error Corrupt  what no worker of ours would say; it must be ended.
  Result<> receive(protocol::FromWorker message);

  /// A call or a step that took longer than it may.
  struct Overdue {
    std::string what;
    std::optional<protocol::CallId> call;  // empty: a step
  };
  std::optional<Overdue> overdue();
  /// Fails everything under way, and whatever comes later, with `error`; the overdue call alone
  /// with DeadlineExceeded.
  void close(const Error& error, const std::optional<Overdue>& overdue = {});

 private:
  struct Call {
    std::string what;
    std::int64_t time_ms = 0;      // it may take, once its turn has come
    std::int64_t deadline_ms = 0;  // steady clock
    std::size_t expected = 0;      // index of its answer in FromWorker
    std::optional<Result<protocol::FromWorker>> answer;
  };
  struct Request {
    std::shared_ptr<EventSink> sink;  // shared with the thread that is calling it
    std::uint32_t tokens_max = 0;
    std::vector<bool> choices_done;
    std::uint64_t deltas = 0;
    bool scored = false;

    std::uint32_t open_choices() const;
  };

  Result<protocol::FromWorker> exchange(
      std::string what, std::int64_t time_ms, std::size_t expected,
      const std::function<protocol::ToWorker(protocol::CallId)>& make);
  Result<> receive_event(protocol::RequestEvent message);
  Result<> receive_answer(protocol::CallId id, protocol::FromWorker message);
  Result<> receive_started(protocol::CallId id);

  // Under the lock:
  Result<> put(ByteView payload, env::Fd attachment);
  void note_busy();
  bool is_full(std::uint32_t choices) const;
  Result<> check_event(Request& request, const Event& event) const;
  Result<> check_tokens(const std::vector<TokenInfo>& tokens) const;

  const std::string label_;
  const SupervisionLimits limits_;
  env::Clock& clock_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  std::condition_variable answered_;
  // All below under mutex_.
  FrameWriter writer_;
  std::optional<Error> closed_;
  std::uint64_t next_call_ = 1;
  std::map<std::uint64_t, std::shared_ptr<Call>> calls_;  // shared with the waiting thread
  std::map<std::uint64_t, Request> requests_;             // by id: in the order of submission
  EngineStats stats_;
  std::uint64_t finished_ = 0;
  std::int64_t last_sign_ms_ = 0;
  ModelInfo info_;
  LoadOptions options_;
};

}  // namespace loam::engine
