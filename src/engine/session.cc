#include "engine/session.h"

#include <algorithm>
#include <concepts>
#include <utility>

#include "base/format.h"

namespace loam::engine {
namespace {

/// Bytes that may wait for a worker in a long step (chosen: a few of the largest messages).
constexpr std::size_t kUnsentBytesMax = 3 * protocol::kFrameBytesMax;

Error nonsense(std::string_view what) {
  return {ErrorCode::kCorrupt, format("the worker broke the protocol: {}", what)};
}

/// The call that `message` is the answer to, if it is one.
std::optional<protocol::CallId> answered_call(const protocol::FromWorker& message) {
  return std::visit(
      [](const auto& m) -> std::optional<protocol::CallId> {
        if constexpr (requires {
                        { m.id } -> std::convertible_to<protocol::CallId>;
                      })
          return m.id;
        else
          return std::nullopt;
      },
      message);
}

}  // namespace

std::uint32_t Session::Request::open_choices() const {
  return static_cast<std::uint32_t>(std::ranges::count(choices_done, false));
}

Session::Session(int socket, std::string label, SupervisionLimits limits, env::Clock& clock,
                 std::function<void()> wake)
    : label_(std::move(label)),
      limits_(limits),
      clock_(clock),
      wake_(std::move(wake)),
      writer_(socket),
      last_sign_ms_(clock.steady_ms()) {}

void Session::set_loaded(const ModelInfo& info, const LoadOptions& options) {
  const std::scoped_lock lock(mutex_);
  info_ = info;
  options_ = options;
}

Result<> Session::put(ByteView payload, env::Fd attachment) {
  if (closed_) return std::unexpected(*closed_);
  if (payload.size() > protocol::kFrameBytesMax)
    return fail(ErrorCode::kInvalidArgument,
                format("{}: the input is larger than {} bytes", label_, protocol::kFrameBytesMax));
  if (writer_.waiting() + payload.size() > kUnsentBytesMax)
    return fail(ErrorCode::kResourceExhausted,
                format("{}: too much waits for the worker already", label_), "try again later");
  writer_.put(payload, std::move(attachment));
  // A socket that is closed is noticed by the supervisor, who then closes the session.
  std::ignore = writer_.flush();
  return {};
}

Result<> Session::send(const protocol::ToWorker& message, env::Fd attachment) {
  const Bytes payload = protocol::encode(message);
  {
    const std::scoped_lock lock(mutex_);
    LOAM_TRY(put(payload, std::move(attachment)));
  }
  wake_();
  return {};
}

void Session::note_busy() {
  if (calls_.empty() && requests_.empty()) last_sign_ms_ = clock_.steady_ms();
}

Result<protocol::FromWorker> Session::exchange(
    std::string what, std::int64_t time_ms, std::size_t expected,
    const std::function<protocol::ToWorker(protocol::CallId)>& make) {
  auto call = std::make_shared<Call>();
  call->what = std::move(what);
  call->time_ms = time_ms;
  call->expected = expected;
  std::uint64_t id = 0;
  {
    const std::scoped_lock lock(mutex_);
    id = next_call_++;
  }
  const Bytes payload = protocol::encode(make(protocol::CallId{id}));
  {
    const std::scoped_lock lock(mutex_);
    LOAM_TRY(put(payload, {}));
    note_busy();
    // Until its turn comes a step may be under way.
    call->deadline_ms = clock_.steady_ms() + limits_.step_ms + time_ms;
    calls_.emplace(id, call);
  }
  wake_();
  std::unique_lock lock(mutex_);
  answered_.wait(lock, [&] { return call->answer.has_value(); });
  return std::move(*call->answer);
}

bool Session::is_full(std::uint32_t choices) const {
  // Who runs and who waits, as the worker's queue will have it: in the order of submission.
  const std::uint32_t places = options_.sequences_max;
  std::uint32_t taken = 0;
  std::size_t waiting = 0;
  const auto place = [&](std::uint32_t wanted) {
    wanted = std::min(wanted, places);
    if (waiting > 0 || taken + wanted > places) return false;
    taken += wanted;
    return true;
  };
  for (const auto& [id, request] : requests_)
    if (!place(request.open_choices())) ++waiting;
  return !place(choices) && waiting >= options_.queue_max;
}

Result<> Session::generate(GenerateRequest request, EventSink sink) {
  const std::uint64_t id = request.id.value;
  Request entry;
  entry.sink = std::make_shared<EventSink>(std::move(sink));
  entry.tokens_max = request.tokens_max;
  entry.choices_done.resize(request.choice_seeds.size());
  const auto choices = static_cast<std::uint32_t>(request.choice_seeds.size());
  const Bytes payload = protocol::encode(protocol::Generate{std::move(request)});
  {
    const std::scoped_lock lock(mutex_);
    if (is_full(choices))
      return fail(ErrorCode::kResourceExhausted,
                  format("{}: {} requests wait already", label_, options_.queue_max),
                  "try again later");
    LOAM_TRY(put(payload, {}));
    note_busy();
    requests_.emplace(id, std::move(entry));
  }
  wake_();
  return {};
}

void Session::cancel(RequestId id) {
  {
    const std::scoped_lock lock(mutex_);
    if (requests_.erase(id.value) == 0 || closed_) return;
    // Small, and no more of them than requests: they need no bound of their own.
    writer_.put(protocol::encode(protocol::Cancel{id}));
    std::ignore = writer_.flush();
  }
  wake_();
}

EngineStats Session::stats() {
  const std::scoped_lock lock(mutex_);
  return stats_;
}

std::uint64_t Session::finished() {
  const std::scoped_lock lock(mutex_);
  return finished_;
}

Result<> Session::flush() {
  const std::scoped_lock lock(mutex_);
  return writer_.flush();
}

bool Session::has_unsent() {
  const std::scoped_lock lock(mutex_);
  return writer_.waiting() > 0;
}

bool Session::busy() {
  const std::scoped_lock lock(mutex_);
  return !calls_.empty() || !requests_.empty();
}

Result<> Session::receive(protocol::FromWorker message) {
  {
    const std::scoped_lock lock(mutex_);
    last_sign_ms_ = clock_.steady_ms();
  }
  if (auto* event = std::get_if<protocol::RequestEvent>(&message))
    return receive_event(std::move(*event));
  if (const auto* m = std::get_if<protocol::CallStarted>(&message)) return receive_started(m->id);
  if (const auto id = answered_call(message)) return receive_answer(*id, std::move(message));
  if (const auto* m = std::get_if<protocol::Stats>(&message)) {
    const std::scoped_lock lock(mutex_);
    stats_ = m->stats;
    return {};
  }
  return std::unexpected(nonsense("a greeting or a load where there was none to answer"));
}

Result<> Session::check_tokens(const std::vector<TokenInfo>& tokens) const {
  const auto known = [&](TokenId id) {
    return id >= 0 && static_cast<std::uint32_t>(id) < info_.vocabulary;
  };
  for (const TokenInfo& token : tokens)
    if (!known(token.token) ||
        !std::ranges::all_of(token.top, [&](const TopLogprob& top) { return known(top.token); }))
      return std::unexpected(nonsense("a token that the model does not have"));
  return {};
}

Result<> Session::check_event(Request& request, const Event& event) const {
  if (const auto* scored = std::get_if<PromptScored>(&event)) {
    if (std::exchange(request.scored, true))
      return std::unexpected(nonsense("a prompt's scores twice"));
    return check_tokens(scored->tokens);
  }
  const std::size_t choices = request.choices_done.size();
  const std::uint64_t tokens_max = std::uint64_t{request.tokens_max} + 1;  // and the end token
  if (const auto* delta = std::get_if<Delta>(&event)) {
    // Each token makes one delta at most; a choice's end may flush a held-back text.
    const std::uint64_t deltas_max = choices * (tokens_max + 1);
    if (delta->choice >= choices || request.choices_done[delta->choice] ||
        ++request.deltas > deltas_max || delta->tokens.size() > tokens_max)
      return std::unexpected(nonsense("more answer than was asked for"));
    return check_tokens(delta->tokens);
  }
  if (const auto* done = std::get_if<ChoiceDone>(&event)) {
    if (done->choice >= choices || request.choices_done[done->choice] ||
        done->tokens.size() > tokens_max)
      return std::unexpected(nonsense("the end of a choice that is not under way"));
    request.choices_done[done->choice] = true;
    return {};
  }
  if (std::holds_alternative<RequestDone>(event) && request.open_choices() > 0)
    return std::unexpected(nonsense("an end before the end of all choices"));
  return {};
}

Result<> Session::receive_event(protocol::RequestEvent message) {
  std::shared_ptr<EventSink> sink;
  {
    const std::scoped_lock lock(mutex_);
    const auto it = requests_.find(message.id.value);
    if (it == requests_.end()) return {};  // cancelled meanwhile
    LOAM_TRY(check_event(it->second, message.event));
    sink = it->second.sink;
    if (std::holds_alternative<RequestDone>(message.event)) ++finished_;
    if (protocol::is_last(message.event)) requests_.erase(it);
  }
  (*sink)(std::move(message.event));
  return {};
}

Result<> Session::receive_started(protocol::CallId id) {
  const std::scoped_lock lock(mutex_);
  const auto it = calls_.find(id.value);
  if (it == calls_.end()) return std::unexpected(nonsense("a call that nobody made was started"));
  it->second->deadline_ms =
      std::min(it->second->deadline_ms, clock_.steady_ms() + it->second->time_ms);
  return {};
}

Result<> Session::receive_answer(protocol::CallId id, protocol::FromWorker message) {
  {
    const std::scoped_lock lock(mutex_);
    const auto it = calls_.find(id.value);
    if (it == calls_.end()) return std::unexpected(nonsense("an answer to no call"));
    if (const auto* failed = std::get_if<protocol::CallFailed>(&message))
      it->second->answer = std::unexpected(failed->error);
    else if (message.index() == it->second->expected)
      it->second->answer = std::move(message);
    else
      return std::unexpected(nonsense("an answer to another call than was made"));
    calls_.erase(it);
  }
  answered_.notify_all();
  return {};
}

std::optional<Session::Overdue> Session::overdue() {
  const std::scoped_lock lock(mutex_);
  const std::int64_t now_ms = clock_.steady_ms();
  for (const auto& [id, call] : calls_)
    if (now_ms > call->deadline_ms)
      return Overdue{format("{} took longer than {} ms", call->what, call->time_ms),
                     protocol::CallId{id}};
  if ((!calls_.empty() || !requests_.empty()) && now_ms - last_sign_ms_ > limits_.step_ms)
    return Overdue{format("a step took longer than {} ms", limits_.step_ms), std::nullopt};
  return std::nullopt;
}

void Session::close(const Error& error, const std::optional<Overdue>& overdue) {
  std::map<std::uint64_t, Request> requests;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    closed_ = error;
    for (const auto& [id, call] : calls_) {
      Error own = error;
      if (overdue && overdue->call == protocol::CallId{id}) own.code = ErrorCode::kDeadlineExceeded;
      call->answer = std::unexpected(std::move(own));
    }
    calls_.clear();
    requests.swap(requests_);
  }
  answered_.notify_all();
  for (const auto& [id, request] : requests) (*request.sink)(RequestFailed{error});
}

}  // namespace loam::engine
