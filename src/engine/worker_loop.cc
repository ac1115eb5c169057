#include "engine/worker_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "engine/confine.h"

namespace loam::engine {
namespace {

/// What may wait for a node that does not read, before generation stops (chosen: seconds of
/// answers on any machine).
constexpr std::size_t kUnsentBytesMax = 4U << 20;
/// Counters, and with them a sign of life, are sent at most this often.
constexpr std::int64_t kStatsEveryMs = 250;
/// How long a worker that ends waits for the node to read why.
constexpr int kLastWordsMs = 1000;
/// Embedding calls that may wait; each may hold many inputs.
constexpr std::size_t kEmbedCallsMax = 1024;

Result<std::unique_ptr<Backend>> load_backend(const protocol::Load& load, ModelFiles files) {
  if (load.fake) return make_fake_backend(load.options, static_cast<int>(load.fake_step_ms));
  if (!files.model.valid())
    return fail(ErrorCode::kInvalidArgument, "load: no model file came with the message");
  LOAM_TRY(limit_memory(load.memory_bytes_max));
  return load_llama_backend(std::move(files), load.options);
}

Error too_large(std::string_view what) {
  return {ErrorCode::kResourceExhausted,
          format("{}: the result is larger than one message may be ({} bytes)", what,
                 protocol::kFrameBytesMax)};
}

}  // namespace

WorkerLoop::WorkerLoop(env::Fd socket, env::Clock& clock)
    : socket_(std::move(socket)),
      clock_(clock),
      reader_(socket_.get(), protocol::kFrameBytesMax, Descriptors::kAccept),
      writer_(socket_.get()) {}

WorkerLoop::~WorkerLoop() = default;

WorkerEnd WorkerLoop::run() {
  for (;;) {
    if (const auto end = talk()) return *end;
    if (const auto end = work()) return *end;
    if (!writer_.flush()) return WorkerEnd::kPolite;
  }
}

bool WorkerLoop::has_work() const {
  return scheduler_ != nullptr && (scheduler_->has_work() || !waiting_.empty() || !embeds_.empty());
}

bool WorkerLoop::congested() const { return writer_.waiting() > kUnsentBytesMax; }

std::optional<WorkerEnd> WorkerLoop::wait() {
  pollfd poll_for{socket_.get(), 0, 0};
  if (!congested()) poll_for.events |= POLLIN;
  if (writer_.waiting() > 0) poll_for.events |= POLLOUT;
  const int timeout_ms = has_work() && !congested() ? 0 : -1;
  if (::poll(&poll_for, 1, timeout_ms) < 0 && errno != EINTR) return WorkerEnd::kBroken;
  // A closed socket may still hold messages, but nobody is left who wants the answers.
  if ((poll_for.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return WorkerEnd::kPolite;
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::talk() {
  if (const auto end = wait()) return end;
  if (!writer_.flush()) return WorkerEnd::kPolite;
  if (congested()) return std::nullopt;
  const auto filled = reader_.fill();
  if (!filled) {
    log::error("engine", "{}", filled.error().message);
    return WorkerEnd::kConfused;
  }
  for (;;) {
    const auto frame = reader_.next();
    auto message = !frame   ? std::unexpected(frame.error())
                   : *frame ? protocol::parse_to_worker(**frame)
                            : Result<protocol::ToWorker>(protocol::Shutdown{});
    if (!message) {
      log::error("engine", "{}", message.error().message);
      return WorkerEnd::kConfused;
    }
    if (!*frame) break;
    const auto end =
        std::visit([&](auto&& m) { return handle(std::move(m)); }, std::move(*message));
    if (end) return end;
  }
  if (*filled == FrameReader::Filled::kClosed) return WorkerEnd::kPolite;
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::work() {
  if (!has_work() || congested()) return std::nullopt;
  submit_waiting();
  if (!embeds_.empty()) embed_one();
  Result<> stepped;
  if (scheduler_->has_work()) stepped = scheduler_->step(clock_);
  send_events();
  if (stepped) return std::nullopt;
  log::error("engine", "step: {}", stepped.error().message);
  send_the_last();
  return WorkerEnd::kBroken;
}

void WorkerLoop::submit_waiting() {
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    const RequestId id = next.request.id;
    const auto submitted = scheduler_->submit(next.request, next.since_ms);
    // No room now; a later step makes some. With nothing under way none would.
    if (!submitted && submitted.error().code == ErrorCode::kResourceExhausted &&
        scheduler_->has_work())
      return;
    if (!submitted) events_.emplace_back(id, RequestFailed{submitted.error()});
    waiting_.pop_front();
  }
}

void WorkerLoop::send_events() {
  const std::int64_t now_ms = clock_.steady_ms();
  const bool one_ended =
      std::ranges::any_of(events_, [](const auto& e) { return protocol::is_last(e.second); });
  if (one_ended || now_ms - stats_sent_ms_ >= kStatsEveryMs) {
    stats_sent_ms_ = now_ms;
    send_stats();
  }
  for (auto& [id, event] : events_) send(protocol::RequestEvent{id, std::move(event)});
  events_.clear();
}

void WorkerLoop::send_stats() {
  EngineStats stats = scheduler_->stats();
  stats.waiting += static_cast<std::uint32_t>(waiting_.size());
  send(protocol::Stats{stats});
}

void WorkerLoop::send(const protocol::FromWorker& message) {
  const Bytes bytes = protocol::encode(message);
  if (bytes.size() <= protocol::kFrameBytesMax) {
    writer_.put(bytes);
    return;
  }
  // Only a prompt's scores with their alternatives can grow this large.
  if (const auto* event = std::get_if<protocol::RequestEvent>(&message)) {
    scheduler_->cancel(event->id);
    writer_.put(
        protocol::encode(protocol::RequestEvent{event->id, RequestFailed{too_large("generate")}}));
  }
}

void WorkerLoop::send_the_last() {
  while (writer_.flush() && writer_.waiting() > 0) {
    pollfd poll_for{socket_.get(), POLLOUT, 0};
    if (::poll(&poll_for, 1, kLastWordsMs) <= 0) return;
  }
}

void WorkerLoop::begin(protocol::CallId id) {
  // At once, and not with the answer: the node's deadline for the call starts here.
  send(protocol::CallStarted{id});
  // A socket that is full keeps it for later; one that is closed is noticed at the next wait.
  std::ignore = writer_.flush();
}

template <class Message>
void WorkerLoop::answer(protocol::CallId id, Result<Message> result) {
  if (!result) return send(protocol::CallFailed{id, result.error()});
  const Bytes bytes = protocol::encode(protocol::FromWorker(std::move(*result)));
  if (bytes.size() > protocol::kFrameBytesMax)
    return send(protocol::CallFailed{id, too_large("call")});
  writer_.put(bytes);
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Hello message) {
  send(protocol::Hello{});
  greeted_ = true;
  if (message.version == protocol::kVersion) return std::nullopt;
  log::error("engine", "the node speaks version {} of the worker protocol, this worker {}",
             message.version, protocol::kVersion);
  send_the_last();
  return WorkerEnd::kConfused;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Adapter) {
  if (!greeted_ || backend_ != nullptr || adapter_.valid()) return WorkerEnd::kConfused;
  adapter_ = reader_.take_attachment();
  if (!adapter_.valid()) return WorkerEnd::kConfused;
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Load message) {
  if (!greeted_ || backend_ != nullptr) return WorkerEnd::kConfused;
  auto loaded = load_backend(message, {reader_.take_attachment(), std::move(adapter_)});
  if (!loaded) {
    send(protocol::LoadFailed{loaded.error()});
    send_the_last();
    return WorkerEnd::kBroken;
  }
  backend_ = std::move(*loaded);
  options_ = message.options;
  scheduler_ = std::make_unique<Scheduler>(*backend_, options_, [this](RequestId id, Event event) {
    events_.emplace_back(id, std::move(event));
  });
  send(protocol::Loaded{backend_->info()});
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Generate message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  const RequestId id = message.request.id;
  // The node keeps the bound; this one holds should it not.
  if (waiting_.size() >= std::size_t{options_.queue_max} + options_.sequences_max) {
    send(protocol::RequestEvent{
        id, RequestFailed{{ErrorCode::kResourceExhausted, "generate: too many requests wait"}}});
    return std::nullopt;
  }
  waiting_.push_back({std::move(message.request), clock_.steady_ms()});
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Cancel message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  std::erase_if(waiting_, [&](const Waiting& w) { return w.request.id == message.id; });
  scheduler_->cancel(message.id);
  send_stats();  // with nothing left to do, no step would
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(const protocol::Tokenize& message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  begin(message.id);
  auto tokens = backend_->tokenize(message.text, message.special, message.add_bos);
  if (!tokens)
    answer<protocol::Tokenized>(message.id, std::unexpected(tokens.error()));
  else
    answer<protocol::Tokenized>(message.id, protocol::Tokenized{message.id, std::move(*tokens)});
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(const protocol::Detokenize& message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  begin(message.id);
  protocol::Detokenized result{message.id, {}};
  for (const TokenId token : message.tokens) {
    result.bytes += backend_->piece(token, true);
    if (result.bytes.size() > protocol::kFrameBytesMax) break;  // answer() refuses it
  }
  answer<protocol::Detokenized>(message.id, std::move(result));
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(const protocol::Render& message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  begin(message.id);
  auto chat = backend_->render(message.messages, message.add_generation_prompt);
  if (!chat)
    answer<protocol::Rendered>(message.id, std::unexpected(chat.error()));
  else
    answer<protocol::Rendered>(message.id, protocol::Rendered{message.id, std::move(*chat)});
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Embed message) {
  if (backend_ == nullptr) return WorkerEnd::kConfused;
  if (embeds_.size() < kEmbedCallsMax) {
    embeds_.push_back({std::move(message), {}});
  } else {
    answer<protocol::Embedded>(message.id,
                               fail(ErrorCode::kResourceExhausted, "embed: too many calls wait"));
  }
  return std::nullopt;
}

std::optional<WorkerEnd> WorkerLoop::handle(protocol::Shutdown) { return WorkerEnd::kPolite; }

void WorkerLoop::embed_one() {
  // One text a turn, so that running answers keep moving.
  EmbedJob& job = embeds_.front();
  const protocol::CallId id = job.call.id;
  if (job.done.empty()) begin(id);
  if (job.done.size() < job.call.inputs.size()) {
    auto one = backend_->embed(job.call.inputs[job.done.size()]);
    if (!one) {
      answer<protocol::Embedded>(id, std::unexpected(one.error()));
      embeds_.pop_front();
      return;
    }
    job.done.push_back(std::move(*one));
  }
  if (job.done.size() < job.call.inputs.size()) return;
  answer<protocol::Embedded>(id, protocol::Embedded{id, std::move(job.done)});
  embeds_.pop_front();
}

}  // namespace loam::engine
