// GET /health and GET /version
#include "api/context.h"

namespace loam::api {

void add_health_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/health", Need::kNothing,
             [&context](const Call& call) -> ApiResult<> {
               const bool stopping = context.stopping;
               call.respond_json(stopping ? 503 : 200,
                                 codec::Object{{"status", stopping ? "stopping" : "ok"}});
               return {};
             });
  routes.add(http::Method::kGet, "/version", Need::kNothing,
             [&context](const Call& call) -> ApiResult<> {
               call.respond_json(200, codec::Object{{"version", context.settings.version}});
               return {};
             });
}

}  // namespace loam::api
