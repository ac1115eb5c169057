#include "api/app.h"

#include <utility>

#include "api/context.h"
#include "api/erasure.h"
#include "api/metered_exchange.h"
#include "base/format.h"
#include "http/router.h"

namespace loam::api {
namespace {

constexpr const char* kPreflightSeconds = "600";  // how long a browser may remember a preflight

class AppImpl final : public App, private Routes {
 public:
  AppImpl(Services services, Settings settings)
      : context_(std::move(services), std::move(settings)) {
    add_health_routes(*this, context_);
    add_metrics_routes(*this, context_);
    add_model_routes(*this, context_);
    add_chat_routes(*this, context_);
    add_completion_routes(*this, context_);
    add_embedding_routes(*this, context_);
    add_tokenize_routes(*this, context_);
    add_loam_model_routes(*this, context_);
    add_loam_pull_routes(*this, context_);
    add_loam_residency_routes(*this, context_);
    add_loam_key_routes(*this, context_);
    add_loam_answer_routes(*this, context_);
    add_loam_consent_routes(*this, context_);
    add_loam_share_routes(*this, context_);
    add_loam_record_routes(*this, context_);
    add_loam_search_routes(*this, context_);
    add_loam_follow_routes(*this, context_);
    add_loam_identity_routes(*this, context_);
    add_loam_publication_routes(*this, context_);
    add_loam_attestation_routes(*this, context_);
    add_file_routes(*this, context_);
    add_fine_tuning_routes(*this, context_);
    add_log_routes(*this, context_);
    add_blob_routes(*this, context_);
    add_loam_node_routes(*this, context_);
  }
  ~AppImpl() override {
    context_.stopping = true;
    context_.ending = true;
    context_.models.close();
  }

  void handle(const http::ExchangePtr& exchange) override;
  void handle_public(const http::ExchangePtr& exchange) override;
  void finish_erasures() { erase_unfinished(context_); }
  void begin_stopping() override { context_.stopping = true; }
  void set_listen(std::string address) override { context_.settings.listen = std::move(address); }

 private:
  void add(http::Method method, std::string_view pattern, Need need, RouteHandler handler) override;
  ApiResult<> dispatch(const http::ExchangePtr& exchange, const http::Router::Match& match);
  void answer_preflight(const http::ExchangePtr& exchange, const std::string& allow);

  Context context_;
  http::Router router_;
};

void AppImpl::add(http::Method method, std::string_view pattern, Need need, RouteHandler handler) {
  router_.add(method, pattern,
              [this, need, handler = std::move(handler)](const http::ExchangePtr& exchange) {
                const AccessRules& rules = context_.settings.access;
                auto caller =
                    check_caller(exchange->request(), rules, context_.services.keys, need);
                if (!caller) return exchange->respond(error_response(caller.error()));
                const Call call{exchange, *std::move(caller), is_local(exchange->request(), rules),
                                context_.services.clock.steady_ms()};
                const ApiResult<> done = handler(call);
                if (!done) exchange->respond(error_response(done.error()));
              });
}

void AppImpl::answer_preflight(const http::ExchangePtr& exchange, const std::string& allow) {
  http::Response response;
  response.status = 204;
  response.headers.set("access-control-allow-methods", allow);
  response.headers.set("access-control-max-age", kPreflightSeconds);
  // Whatever headers the page wants to send: SDKs add a dozen of their own.
  if (const auto* wanted = exchange->request().headers.find("access-control-request-headers"))
    response.headers.set("access-control-allow-headers", *wanted);
  exchange->respond(std::move(response));
}

ApiResult<> AppImpl::dispatch(const http::ExchangePtr& exchange, const http::Router::Match& match) {
  const http::Request& request = exchange->request();
  LOAM_TRY(check_source(request, context_.settings.access));
  if (const auto origin = foreign_origin(request, context_.settings.access)) {
    exchange->add_header("access-control-allow-origin", *origin);
    exchange->add_header("access-control-expose-headers",
                         "x-request-id, retry-after, x-commons-submission");
    exchange->add_header("vary", "Origin");
  }
  if (match.handler != nullptr) {
    exchange->set_params(match.params);
    (*match.handler)(exchange);
    return {};
  }
  if (match.allow.empty())
    return refuse(error_of_status(
        404, format("{} {}: no such route", http::method_name(request.method), request.path)));
  if (request.method == http::Method::kOptions) {
    answer_preflight(exchange, match.allow);
    return {};
  }
  exchange->add_header("allow", match.allow);
  return refuse(
      error_of_status(405, format("{} {}: this path has {}", http::method_name(request.method),
                                  request.path, match.allow)));
}

void AppImpl::handle(const http::ExchangePtr& inner) {
  const http::Request& request = inner->request();
  const http::Router::Match match = router_.find(request.method, request.path);
  const std::string route(match.pattern.empty() ? "other" : match.pattern);
  const auto exchange =
      std::make_shared<MeteredExchange>(inner, route, context_.metrics, context_.services.clock);
  exchange->add_header("x-request-id", request.id);
  const ApiResult<> done = dispatch(exchange, match);
  if (!done) exchange->respond(error_response(done.error()));
}

void AppImpl::handle_public(const http::ExchangePtr& inner) {
  const http::Request& request = inner->request();
  const bool reads = request.method == http::Method::kGet || request.method == http::Method::kHead;
  const bool is_public = request.path.starts_with("/log/") || request.path.starts_with("/blob/") ||
                         request.path == "/health";
  const http::Router::Match match =
      reads && is_public ? router_.find(request.method, request.path) : http::Router::Match{};
  const auto exchange = std::make_shared<MeteredExchange>(
      inner, match.handler == nullptr ? "public, other" : "public " + std::string(match.pattern),
      context_.metrics, context_.services.clock);
  exchange->add_header("x-request-id", request.id);
  if (match.handler == nullptr)
    return exchange->respond(
        error_response(error_of_status(404, "only /log/, /blob/ and /health can be read here")));
  exchange->set_params(match.params);
  (*match.handler)(exchange);
}

}  // namespace

std::unique_ptr<App> App::create(Services services, Settings settings) {
  auto app = std::make_unique<AppImpl>(std::move(services), std::move(settings));
  app->finish_erasures();
  return app;
}

http::Response App::error_reply(int status, std::string_view message) {
  ApiError error = error_of_status(status, message);
  if (status == 413) error.message += " (the node's setting limits.body_bytes)";
  return error_response(error);
}

}  // namespace loam::api
