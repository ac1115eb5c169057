#include "engine/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/format.h"
#include "base/log.h"
#include "engine/worker_log.h"
#include "env/thread.h"

namespace loam::engine {
namespace {

/// How often deadlines are looked at while something is under way, as a part of the shortest one.
constexpr std::int64_t kTicksPerDeadline = 4;
constexpr std::int64_t kTickMsMin = 5;
constexpr std::int64_t kTickMsMax = 1000;
/// A worker whose socket is closed is about to be gone; longer than this it is not waited for.
constexpr int kDeathMs = 2000;

int tick_ms(const SupervisionLimits& limits) {
  const std::int64_t shortest = std::min(limits.step_ms, limits.call_ms);
  return static_cast<int>(std::clamp(shortest / kTicksPerDeadline, kTickMsMin, kTickMsMax));
}

}  // namespace

struct Supervisor::Life {
  enum class Phase { kGreeting, kLoading, kServing };

  std::unique_ptr<WorkerHost> host;
  std::shared_ptr<Session> session;  // shared with callers
  FrameReader reader;
  WorkerLog log;
  bool log_open = true;
  Phase phase = Phase::kGreeting;
  std::int64_t load_deadline_ms = 0;
  std::optional<Session::Overdue> overdue = std::nullopt;
};

Supervisor::Supervisor(SupervisorSetup setup)
    : setup_(std::move(setup)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Result<std::unique_ptr<Supervisor>> Supervisor::start(SupervisorSetup setup) {
  std::unique_ptr<Supervisor> self(new Supervisor(std::move(setup)));
  if (!self->wake_.valid())
    return std::unexpected(env::system_error("make", "an event descriptor", errno));
  const ModelFiles& files = self->setup_.files;
  if (files.model.valid()) self->model_stamp_ = LOAM_TRY(env::stamp(files.model));
  if (files.adapter.valid()) self->adapter_stamp_ = LOAM_TRY(env::stamp(files.adapter));
  Supervisor* raw = self.get();
  self->thread_ = env::start_thread("engine", [raw](const std::stop_token&) { raw->run(); });
  const std::stop_callback on_stop(self->setup_.stop, [raw] { raw->begin_stopping(); });
  std::unique_lock lock(self->mutex_);
  self->changed_.wait(lock, [&] { return self->state_ != State::kStarting || self->stopping_; });
  if (self->stopping_) {
    lock.unlock();
    return fail(ErrorCode::kUnavailable, format("load {}: stopped half-way", self->setup_.label));
  }
  if (self->state_ == State::kReady) return self;
  Error why = *self->why_;
  lock.unlock();
  return std::unexpected(std::move(why));
}

Supervisor::~Supervisor() {
  begin_stopping();
  if (thread_.joinable()) thread_.join();
}

void Supervisor::begin_stopping() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  wake();
}

void Supervisor::wake() {
  const std::uint64_t one = 1;
  // It can only fail when it has been woken 2^64 times already.
  std::ignore = ::write(wake_.get(), &one, sizeof one);
}

bool Supervisor::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

void Supervisor::set_state(State state, std::shared_ptr<Session> session,
                           std::optional<Error> why) {
  {
    const std::scoped_lock lock(mutex_);
    state_ = state;
    session_ = std::move(session);
    why_ = std::move(why);
  }
  changed_.notify_all();
}

Result<std::shared_ptr<Session>> Supervisor::session() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(setup_.limits.ready_ms),
                    [&] { return state_ != State::kStarting || stopping_; });
  if (state_ == State::kReady) return session_;
  const std::string why = why_ ? why_->message : setup_.label + ": the worker is not loaded yet";
  if (state_ == State::kBroken) return fail(ErrorCode::kUnavailable, why);
  return fail(ErrorCode::kUnavailable, why + "; another worker is being started", "try again");
}

std::shared_ptr<Session> Supervisor::session_now() {
  const std::scoped_lock lock(mutex_);
  return session_;
}

bool Supervisor::broken(std::string* why) {
  const std::scoped_lock lock(mutex_);
  if (state_ == State::kBroken && why != nullptr && why_) *why = why_->message;
  return state_ == State::kBroken;
}

void Supervisor::run() {
  for (;;) {
    const Error why = live_once();
    if (stopping()) return;
    if (!info_ || !wait_before_restart(why)) {
      set_state(State::kBroken, nullptr, why);
      return;
    }
  }
}

bool Supervisor::wait_before_restart(const Error& why) {
  const SupervisionLimits& limits = setup_.limits;
  const std::int64_t now_ms = clock_.steady_ms();
  crashes_ms_.push_back(now_ms);
  while (crashes_ms_.size() > limits.crashes_max) crashes_ms_.pop_front();
  if (crashes_ms_.size() == limits.crashes_max &&
      now_ms - crashes_ms_.front() <= limits.crash_window_ms) {
    log::error("engine", "{}; {} times in a row, no further worker is started", why.message,
               limits.crashes_max);
    return false;
  }
  std::int64_t delay_ms = 0;  // 0, first, twice that, ...
  for (std::size_t i = 0; i < crashes_in_row_ && delay_ms < limits.backoff_ms_max; ++i)
    delay_ms = std::min(i == 0 ? limits.backoff_first_ms : 2 * delay_ms, limits.backoff_ms_max);
  ++crashes_in_row_;
  log::warning("engine", "{}; another worker is started in {} ms", why.message, delay_ms);
  std::unique_lock lock(mutex_);
  state_ = State::kStarting;
  session_ = nullptr;
  why_ = why;
  changed_.wait_for(lock, std::chrono::milliseconds(delay_ms), [&] { return stopping_; });
  return !stopping_;
}

Result<env::Fd> Supervisor::for_worker(const env::Fd& file,
                                       const std::optional<env::FileStamp>& stamp) {
  if (!stamp) return env::Fd();
  const env::FileStamp now = LOAM_TRY(env::stamp(file));
  if (now.size != stamp->size || now.mtime_ns != stamp->mtime_ns)
    return fail(ErrorCode::kCorrupt, "the file was changed while the model was loaded",
                "unload the model and load it again");
  // The position is shared with what an earlier worker did to it.
  if (::lseek(file.get(), 0, SEEK_SET) != 0)
    return std::unexpected(env::system_error("rewind", "the model file", errno));
  env::Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return std::unexpected(env::system_error("duplicate", "a descriptor", errno));
  return copy;
}

Error Supervisor::live_once() {
  const auto about = [&](const Error& e) {
    return Error{e.code, format("load {}: {}", setup_.label, e.message), e.hint};
  };
  auto model = for_worker(setup_.files.model, model_stamp_);
  if (!model) return about(model.error());
  auto adapter = for_worker(setup_.files.adapter, adapter_stamp_);
  if (!adapter) return about(adapter.error());
  auto host = setup_.launch();
  if (!host) return about(host.error());
  const int socket = (*host)->socket();
  auto session =
      std::make_shared<Session>(socket, setup_.label, setup_.limits, clock_, [this] { wake(); });
  Life life{std::move(*host), session,
            FrameReader(socket, protocol::kFrameBytesMax, Descriptors::kRefuse),
            WorkerLog(setup_.label)};
  life.load_deadline_ms = clock_.steady_ms() + setup_.load_timeout_ms;
  // Errors show at the first turn, as a closed socket.
  std::ignore = session->send(protocol::Hello{});
  if (adapter->valid()) std::ignore = session->send(protocol::Adapter{}, std::move(*adapter));
  std::ignore = session->send(setup_.load, std::move(*model));
  const Error why = serve(life);
  if (session->finished() > 0) {
    crashes_ms_.clear();
    crashes_in_row_ = 0;
  }
  // Nobody is given this session any more; then those who have it are told.
  if (life.phase == Life::Phase::kServing) set_state(State::kStarting, nullptr, why);
  session->close(why, life.overdue);
  return why;
}

Error Supervisor::serve(Life& life) {
  for (;;) {
    if (stopping()) {
      std::ignore = life.session->send(protocol::Shutdown{});
      // While it loads, it does not listen.
      const bool listens = life.phase == Life::Phase::kServing;
      const int goodbye_ms = listens ? static_cast<int>(setup_.limits.goodbye_ms) : 0;
      if (!life.host->wait_end(goodbye_ms)) life.host->kill();
      return {ErrorCode::kUnavailable, format("{} was unloaded", setup_.label)};
    }
    if (auto ended = turn(life)) {
      life.host->kill();
      life.host->wait_end(kDeathMs);
      return std::move(*ended);
    }
  }
}

std::optional<Error> Supervisor::turn(Life& life) {
  pollfd for_poll[] = {
      {life.host->socket(), POLLIN, 0},
      {wake_.get(), POLLIN, 0},
      {life.log_open ? life.host->log_pipe() : -1, POLLIN, 0},
  };
  if (life.session->has_unsent()) for_poll[0].events |= POLLOUT;
  const bool watch = life.phase != Life::Phase::kServing || life.session->busy();
  const int timeout_ms = watch ? tick_ms(setup_.limits) : -1;
  if (::poll(for_poll, std::size(for_poll), timeout_ms) < 0 && errno != EINTR)
    return env::system_error("wait for", "the worker", errno);
  if ((for_poll[1].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    std::ignore = ::read(wake_.get(), &count, sizeof count);
  }
  if (for_poll[2].revents != 0) life.log_open = life.log.read(life.host->log_pipe());
  // What the worker said last is read before its death is noticed.
  if ((for_poll[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
    if (auto ended = read(life)) return ended;
  // A failure is the worker's death, which shows above once its last words are read.
  std::ignore = life.session->flush();
  return check_deadlines(life);
}

std::optional<Error> Supervisor::read(Life& life) {
  const auto confused = [&](const Error& e) {
    return Error{ErrorCode::kUnavailable,
                 format("{}: the worker was stopped, its messages were wrong ({})", setup_.label,
                        e.message)};
  };
  const auto filled = life.reader.fill();
  if (!filled) return confused(filled.error());
  for (;;) {
    const auto frame = life.reader.next();
    if (!frame) return confused(frame.error());
    if (!*frame) break;
    auto message = protocol::parse_from_worker(**frame);
    if (!message) return confused(message.error());
    if (life.phase == Life::Phase::kServing) {
      if (auto received = life.session->receive(std::move(*message)); !received)
        return confused(received.error());
    } else if (auto ended = handle(life, std::move(*message))) {
      return ended;
    }
  }
  if (*filled == FrameReader::Filled::kClosed) return describe_death(life);
  return std::nullopt;
}

std::optional<Error> Supervisor::handle(Life& life, protocol::FromWorker message) {
  if (const auto* hello = std::get_if<protocol::Hello>(&message);
      hello != nullptr && life.phase == Life::Phase::kGreeting) {
    life.phase = Life::Phase::kLoading;
    if (hello->version == protocol::kVersion) return std::nullopt;
    return Error{ErrorCode::kUnavailable,
                 format("start worker for {}: it speaks version {} of the worker protocol, this "
                        "node {}",
                        setup_.label, hello->version, protocol::kVersion),
                 "the program was replaced while the node ran: restart the node"};
  }
  if (life.phase == Life::Phase::kLoading) {
    if (auto* loaded = std::get_if<protocol::Loaded>(&message))
      return handle_loaded(life, std::move(loaded->info));
    if (const auto* failed = std::get_if<protocol::LoadFailed>(&message)) {
      // A file can make a worker say anything: only what a load can come to is passed on.
      const ErrorCode code = failed->error.code;
      const bool plausible = code == ErrorCode::kCorrupt || code == ErrorCode::kUnsupported ||
                             code == ErrorCode::kResourceExhausted;
      return Error{plausible ? code : ErrorCode::kInternal,
                   format("load {}: {}", setup_.label, failed->error.message), failed->error.hint};
    }
  }
  return Error{ErrorCode::kUnavailable,
               format("load {}: the worker was stopped, it said something else than how the load "
                      "went",
                      setup_.label)};
}

std::optional<Error> Supervisor::handle_loaded(Life& life, ModelInfo info) {
  if (info_ && (info.vocabulary != info_->vocabulary || info.context != info_->context ||
                info.embedding_width != info_->embedding_width))
    return Error{ErrorCode::kCorrupt,
                 format("load {}: the same file came out as another model", setup_.label)};
  life.phase = Life::Phase::kServing;
  life.session->set_loaded(info, setup_.load.options);
  if (!info_) info_ = std::move(info);
  set_state(State::kReady, life.session, std::nullopt);
  return std::nullopt;
}

std::optional<Error> Supervisor::check_deadlines(Life& life) {
  if (life.phase != Life::Phase::kServing) {
    if (clock_.steady_ms() <= life.load_deadline_ms) return std::nullopt;
    return Error{ErrorCode::kDeadlineExceeded,
                 format("load {}: took longer than {} ms; the worker was stopped", setup_.label,
                        setup_.load_timeout_ms)};
  }
  life.overdue = life.session->overdue();
  if (!life.overdue) return std::nullopt;
  return Error{ErrorCode::kUnavailable,
               format("{}: {}; the worker was stopped", setup_.label, life.overdue->what)};
}

Error Supervisor::describe_death(Life& life) {
  auto how = life.host->wait_end(kDeathMs);
  if (!how) {
    life.host->kill();
    how = life.host->wait_end(kDeathMs);
  }
  // What it wrote last says most about why.
  for (int i = 0; life.log_open && life.host->log_pipe() >= 0 && i < 16; ++i)
    life.log_open = life.log.read(life.host->log_pipe());
  return {ErrorCode::kUnavailable, format("{}{}: the worker process died ({})",
                                          life.phase == Life::Phase::kServing ? "" : "load ",
                                          setup_.label, how.value_or("it cannot be stopped"))};
}

}  // namespace loam::engine
