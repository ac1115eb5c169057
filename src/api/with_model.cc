#include "api/with_model.h"

#include <atomic>
#include <memory>
#include <utility>

namespace loam::api {

namespace {

/// Runs `body` with the model, or `otherwise` if there is none to be had.
void with_lease(Context& context, const Call& call, const std::string& name,
                std::optional<std::int64_t> keep_alive_s, WithLease body,
                std::function<void(const ApiError&)> otherwise) {
  // Shared with the exchange, which may tell of the client's leaving at any time.
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  call.exchange->on_disconnect([gone] { *gone = true; });
  context.models.open(name, keep_alive_s,
                      [call, gone, body = std::move(body),
                       otherwise = std::move(otherwise)](const ApiResult<pool::Lease>& lease) {
                        if (*gone) return;
                        if (!lease) return otherwise(lease.error());
                        if (const ApiResult<> done = body(*lease); !done)
                          call.exchange->respond(error_response(done.error()));
                      });
}

}  // namespace

void with_model(Context& context, const Call& call, const std::string& name,
                std::optional<std::int64_t> keep_alive_s, WithLease body) {
  with_lease(context, call, name, keep_alive_s, std::move(body),
             [call](const ApiError& error) { call.exchange->respond(error_response(error)); });
}

void with_answering_model(Context& context, const Call& call, const std::string& name,
                          std::optional<std::int64_t> keep_alive_s, const WithLease& body) {
  const std::string chosen = context.services.rollouts.answering(name);
  if (chosen == name) return with_model(context, call, name, keep_alive_s, body);
  with_lease(context, call, chosen, keep_alive_s, body, [=, &context](const ApiError& error) {
    with_model(context, call, name, keep_alive_s, [=, &context](const pool::Lease& lease) {
      // Here, because what keeps the one before from answering too is not the new one's fault.
      if (error.cause && !context.stopping)
        context.services.rollouts.cannot_answer(chosen, {*error.cause, error.message});
      return body(lease);
    });
  });
}

ApiResult<std::string> chosen_model(Context& context, const std::optional<std::string>& named) {
  if (named && !named->empty()) return *named;
  const auto loaded = context.services.residency.list();
  if (loaded.size() == 1) return loaded.front().name;
  const auto known = LOAM_TRY(context.services.catalog.list());
  if (known.size() == 1) return known.front().name;
  return refuse(bad_field("model", known.empty()
                                       ? "is missing, and this node has no model (loam pull)"
                                       : "is missing, and this node has more than one model"));
}

}  // namespace loam::api
