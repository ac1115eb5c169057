#include "http/server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "env/thread.h"
#include "http/connection.h"
#include "http/network.h"

namespace loam::http {
namespace {

constexpr std::size_t kRefusedMax = 256;  // chosen: connections being told that there are too many

class RealServer final : public Server, public ConnectionHost {
 public:
  RealServer(const ServerOptions& options, std::unique_ptr<Network> network, Handler handler,
             ErrorWriter error_writer)
      : limits_(options.limits),
        io_threads_(std::max<std::size_t>(1, options.io_threads)),
        handler_(std::move(handler)),
        error_writer_(std::move(error_writer)),
        handlers_(std::make_unique<env::ThreadPool>(
            "http-handler", std::max<std::size_t>(1, options.handler_threads),
            options.handler_queue_max)),
        network_(std::move(network)) {}
  ~RealServer() override { stop(0); }

  void start() override {
    network_->start(io_threads_, [this](std::unique_ptr<Transport> transport) {
      accepted(std::move(transport));
    });
  }
  void stop(std::int64_t grace_ms) override;
  std::uint16_t port() const override { return network_->port(); }
  std::size_t open_connections() const override {
    const std::scoped_lock lock(mutex_);
    return connections_.size();
  }

 private:
  const Limits& limits() const override { return limits_; }
  bool dispatch(const ExchangePtr& exchange) override {
    return handlers_->try_run([this, exchange] { handler_(exchange); });
  }
  Response refusal(int status, std::string_view message) override {
    return error_writer_(status, message);
  }
  bool hold_body_bytes(std::int64_t more) override {
    const std::int64_t held = body_bytes_held_.fetch_add(more) + more;
    return more <= 0 || held <= static_cast<std::int64_t>(limits_.all_bodies_bytes_max);
  }
  void closed(std::uint64_t connection) override;
  void accepted(std::unique_ptr<Transport> transport);
  std::vector<std::shared_ptr<Connection>> connections() const;

  const Limits limits_;
  const std::size_t io_threads_;
  const Handler handler_;
  const ErrorWriter error_writer_;
  std::atomic<std::int64_t> body_bytes_held_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable all_closed_;
  // Shared with the callbacks of each connection; close() takes it out of here.
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  bool stopped_ = false;

  std::unique_ptr<env::ThreadPool> handlers_;
  std::unique_ptr<Network> network_;
};

void RealServer::accepted(std::unique_ptr<Transport> transport) {
  std::shared_ptr<Connection> connection;
  bool full = false;
  {
    const std::scoped_lock lock(mutex_);
    const std::size_t open = connections_.size();
    full = open >= limits_.connections_max;
    if (stopping_ || open >= limits_.connections_max + kRefusedMax) return;  // just closes it
    const std::uint64_t id = next_id_++;
    connection = std::make_shared<Connection>(id, *this, std::move(transport));
    connections_.emplace(id, connection);
  }
  if (full)
    connection->start_full();
  else
    connection->start();
}

void RealServer::closed(std::uint64_t connection) {
  std::shared_ptr<Connection> dropped;
  const std::scoped_lock lock(mutex_);
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  dropped = std::move(found->second);
  connections_.erase(found);
  if (connections_.empty()) all_closed_.notify_all();
}

std::vector<std::shared_ptr<Connection>> RealServer::connections() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  return all;
}

void RealServer::stop(std::int64_t grace_ms) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    stopping_ = true;
  }
  network_->stop_accepting();
  for (const auto& connection : connections()) connection->finish_soon();
  {
    std::unique_lock lock(mutex_);
    all_closed_.wait_for(lock, std::chrono::milliseconds(grace_ms),
                         [this] { return connections_.empty(); });
  }
  for (const auto& connection : connections()) connection->cut();
  network_->join();   // after this nothing is dispatched any more
  handlers_.reset();  // whoever waits for a client has heard that it is gone
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(ServerOptions options, Handler handler,
                                             ErrorWriter error_writer) {
  auto network = LOAM_TRY(Network::open(options));
  return std::make_unique<RealServer>(options, std::move(network), std::move(handler),
                                      std::move(error_writer));
}

}  // namespace loam::http
