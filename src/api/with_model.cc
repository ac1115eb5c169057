#include "api/with_model.h"

#include <atomic>
#include <memory>
#include <utility>

namespace loam::api {

void with_model(Context& context, const Call& call, const std::string& name,
                std::optional<std::int64_t> keep_alive_s,
                std::function<ApiResult<>(const pool::Lease&)> body) {
  // Shared with the exchange, which may tell of the client's leaving at any time.
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  call.exchange->on_disconnect([gone] { *gone = true; });
  context.models.open(name, keep_alive_s,
                      [call, gone, body = std::move(body)](const ApiResult<pool::Lease>& lease) {
                        if (*gone) return;
                        const ApiResult<> done =
                            lease ? body(*lease) : ApiResult<>(refuse(lease.error()));
                        if (!done) call.exchange->respond(error_response(done.error()));
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
