// GET /loam/v1/status, POST /loam/v1/shutdown
#include <unistd.h>

#include "api/model_values.h"

namespace loam::api {
namespace {

ApiResult<> status(Context& context, const Call& call) {
  const Settings& settings = context.settings;
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  codec::Array models;
  for (const pool::Resident& one : context.services.residency.list()) {
    running += one.stats.running;
    waiting += one.stats.waiting;
    models.push_back(resident_value(one));
  }
  codec::Object out{{"version", settings.version},
                    {"uptime_s", (context.services.clock.steady_ms() - context.started_ms) / 1000},
                    {"listen", settings.listen},
                    {"models", std::move(models)},
                    {"running", running},
                    {"waiting", waiting}};
  if (call.is_trusted()) {
    out.emplace_back("pid", static_cast<std::int64_t>(::getpid()));
    out.emplace_back("folders", codec::Object{{"config", settings.folders.config.string()},
                                              {"data", settings.folders.data.string()},
                                              {"state", settings.folders.state.string()},
                                              {"cache", settings.folders.cache.string()}});
  }
  call.respond_json(200, std::move(out));
  return {};
}

}  // namespace

void add_loam_node_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/status", Need::kInfer,
             [&context](const Call& call) { return status(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/shutdown", Need::kAdmin,
             [&context](const Call& call) -> ApiResult<> {
               call.respond_json(202, codec::Object{{"stopping", true}});
               context.services.request_shutdown();
               return {};
             });
}

}  // namespace loam::api
