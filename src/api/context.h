// What all routes share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "api/app.h"
#include "api/call.h"
#include "api/generation_set.h"
#include "api/metrics.h"
#include "api/model_door.h"
#include "api/template_system.h"
#include "env/thread.h"

namespace loam::api {

/// Owned by the App. Its parts are thread-safe; the rest is constant once the server runs.
struct Context {
  Context(Services with_services, Settings with_settings)
      : services(std::move(with_services)),
        settings(std::move(with_settings)),
        models(services.residency, services.clock),
        generations(services.clock, settings.heartbeat_ms) {}

  Services services;
  Settings settings;
  std::int64_t started_ms = services.clock.steady_ms();
  std::atomic<bool> stopping = false;  // the node winds up: pulls, and what is unheard, end
  std::atomic<bool> ending = false;    // nobody is served any more: embeddings end
  // Shared with exchanges and generations, which may outlive the App by a moment.
  std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
  TemplateSystem template_system;
  ModelDoor models;
  // Answers that are shared as they are given: engines must not wait for the disk. Before the
  // generations, which use it until they are abandoned.
  env::ThreadPool shares{"shares", 1, 256};
  env::ThreadPool shadows{"shadow", 1, 1};  // answers that nobody sees; likewise
  GenerationSet generations;
  env::ThreadPool pulls{"pulls", 2, 8};         // each for minutes
  env::ThreadPool embeddings{"embed", 2, 256};  // each for seconds
};

/// Answers through `call.exchange`, at once or later; an error returned is answered for it.
using RouteHandler = std::function<ApiResult<>(const Call& call)>;

/// Takes the routes of one resource.
class Routes {
 public:
  virtual ~Routes() = default;
  virtual void add(http::Method method, std::string_view pattern, Need need,
                   RouteHandler handler) = 0;
};

// One for each file of routes; `context` must outlive the handlers.
void add_health_routes(Routes& routes, Context& context);
void add_metrics_routes(Routes& routes, Context& context);
void add_model_routes(Routes& routes, Context& context);
void add_chat_routes(Routes& routes, Context& context);
void add_completion_routes(Routes& routes, Context& context);
void add_embedding_routes(Routes& routes, Context& context);
void add_tokenize_routes(Routes& routes, Context& context);
void add_loam_model_routes(Routes& routes, Context& context);
void add_loam_pull_routes(Routes& routes, Context& context);
void add_loam_residency_routes(Routes& routes, Context& context);
void add_loam_key_routes(Routes& routes, Context& context);
void add_loam_answer_routes(Routes& routes, Context& context);
void add_loam_consent_routes(Routes& routes, Context& context);
void add_loam_share_routes(Routes& routes, Context& context);
void add_loam_record_routes(Routes& routes, Context& context);
void add_loam_search_routes(Routes& routes, Context& context);
void add_loam_follow_routes(Routes& routes, Context& context);
void add_loam_identity_routes(Routes& routes, Context& context);
void add_loam_publication_routes(Routes& routes, Context& context);
void add_loam_attestation_routes(Routes& routes, Context& context);
void add_file_routes(Routes& routes, Context& context);
void add_fine_tuning_routes(Routes& routes, Context& context);
void add_log_routes(Routes& routes, Context& context);
void add_blob_routes(Routes& routes, Context& context);
void add_loam_node_routes(Routes& routes, Context& context);

}  // namespace loam::api
