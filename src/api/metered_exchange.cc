#include "api/metered_exchange.h"

#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace loam::api {
namespace {

/// What the operator should look into; a dead or late worker is reported where it is restarted.
bool is_ours(int status) { return status >= 500 && status != 503 && status != 504; }

constexpr int kUnansweredStatus = 500;  // what the server makes of a dropped Exchange
constexpr int kClientGoneStatus = 499;  // the client left before there was an answer

std::string_view method_label(http::Method method) {
  return method == http::Method::kOther ? "other" : http::method_name(method);
}

}  // namespace

MeteredExchange::MeteredExchange(http::ExchangePtr inner, std::string route,
                                 std::shared_ptr<Metrics> metrics, env::Clock& clock)
    : inner_(std::move(inner)),
      route_(std::move(route)),
      metrics_(std::move(metrics)),
      clock_(clock),
      started_ms_(clock.steady_ms()) {
  metrics_->add(Metric::kHttpRequestsRunning, {});
}

MeteredExchange::~MeteredExchange() { report(); }

void MeteredExchange::set_params(std::vector<std::string> params) {
  inner_->set_params(std::move(params));
}

void MeteredExchange::add_header(std::string name, std::string value) {
  inner_->add_header(std::move(name), std::move(value));
}

void MeteredExchange::respond(http::Response response) {
  status_ = response.status;
  response.headers.set("openai-processing-ms", format("{}", clock_.steady_ms() - started_ms_));
  report();
  inner_->respond(std::move(response));
}

void MeteredExchange::begin_stream(int status, http::Headers headers) {
  status_ = status;
  inner_->begin_stream(status, std::move(headers));
}

void MeteredExchange::end() {
  report();
  inner_->end();
}

void MeteredExchange::on_disconnect(std::function<void()> gone) {
  inner_->on_disconnect([flag = gone_, gone = std::move(gone)] {
    *flag = true;
    gone();
  });
}

void MeteredExchange::report() {
  if (reported_.exchange(true)) return;
  int status = status_;
  if (status == 0) status = *gone_ ? kClientGoneStatus : kUnansweredStatus;
  if (is_ours(status))
    log::warning("api", "{} {}: status {} (request {})",
                 http::method_name(inner_->request().method), route_, status, inner_->request().id);
  metrics_->add(Metric::kHttpRequests, {{"route", route_},
                                        {"method", method_label(inner_->request().method)},
                                        {"status", format("{}", status)}});
  metrics_->observe(Metric::kHttpDuration, {{"route", route_}},
                    static_cast<double>(clock_.steady_ms() - started_ms_) / 1000.0);
  metrics_->add(Metric::kHttpRequestsRunning, {}, -1);
}

}  // namespace loam::api
