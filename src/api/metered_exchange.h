// An Exchange that counts: requests, their status, and how long the reply took.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "api/metrics.h"
#include "env/clock.h"
#include "http/exchange.h"

namespace loam::api {

/// Passes everything on to `inner`, and reports to `metrics` when the reply is complete or dropped.
class MeteredExchange final : public http::Exchange {
 public:
  /// `metrics` is shared, because a reply may outlive the App. `clock` must outlive this.
  MeteredExchange(http::ExchangePtr inner, std::string route, std::shared_ptr<Metrics> metrics,
                  env::Clock& clock);
  ~MeteredExchange() override;

  const http::Request& request() const override { return inner_->request(); }
  void set_params(std::vector<std::string> params) override;
  void add_header(std::string name, std::string value) override;
  void respond(http::Response response) override;
  void begin_stream(int status, http::Headers headers) override;
  bool write(std::string chunk) override { return inner_->write(std::move(chunk)); }
  void end() override;
  void on_disconnect(std::function<void()> gone) override;

 private:
  void report();

  http::ExchangePtr inner_;
  std::string route_;
  std::shared_ptr<Metrics> metrics_;
  env::Clock& clock_;
  std::int64_t started_ms_;
  std::atomic<int> status_ = 0;  // 0 until the reply has begun
  std::atomic<bool> reported_ = false;
  // Shared with the callback that the inner exchange keeps, which may outlive this.
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace loam::api
