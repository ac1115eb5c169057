// GET /metrics
#include <unistd.h>

#include "api/context.h"
#include "base/parse.h"
#include "env/disk.h"

namespace loam::api {
namespace {

/// Bytes of memory that this process occupies; 0 if the system does not say.
double resident_bytes() {
  const auto text = env::read_file("/proc/self/statm", 4096);
  if (!text) return 0;
  const auto fields = split(*text, ' ');
  const auto pages = fields.size() > 1 ? parse_int(fields[1]) : std::nullopt;
  return static_cast<double>(pages.value_or(0)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// One gauge with a sample for each loaded model.
template <class Read>
void write_gauge(Exposition& out, const std::vector<pool::Resident>& models, std::string_view name,
                 std::string_view type, std::string_view help, Read read) {
  out.family(name, type, help);
  for (const pool::Resident& model : models)
    out.sample(name, {{"model", model.name}}, static_cast<double>(read(model)));
}

void write_models(Exposition& out, const std::vector<pool::Resident>& models) {
  out.family("loam_models_loaded", "gauge", "Models in memory.");
  out.sample("loam_models_loaded", "", static_cast<double>(models.size()));
  write_gauge(out, models, "loam_model_memory_bytes", "gauge",
              "Estimated memory of a loaded model, weights and KV cache.",
              [](const pool::Resident& model) { return model.bytes; });
  write_gauge(out, models, "loam_engine_sequences_running", "gauge",
              "Answers that are being generated.",
              [](const pool::Resident& model) { return model.stats.running; });
  write_gauge(out, models, "loam_engine_requests_waiting", "gauge",
              "Requests that wait for their turn.",
              [](const pool::Resident& model) { return model.stats.waiting; });
  write_gauge(out, models, "loam_engine_kv_used_tokens", "gauge", "Cells of the KV cache in use.",
              [](const pool::Resident& model) { return model.stats.context_used; });
  write_gauge(out, models, "loam_engine_kv_capacity_tokens", "gauge", "Cells of the KV cache.",
              [](const pool::Resident& model) { return model.stats.context_total; });
  write_gauge(out, models, "loam_engine_steps_total", "counter",
              "Steps that the engine made since the model was loaded.",
              [](const pool::Resident& model) { return model.stats.steps; });
}

void write_process(Exposition& out, Context& context) {
  out.family("loam_process_resident_memory_bytes", "gauge",
             "Memory of the node's own process, without the workers.");
  out.sample("loam_process_resident_memory_bytes", "", resident_bytes());
  out.family("loam_uptime_seconds", "gauge", "Time since the node was started.");
  out.sample("loam_uptime_seconds", "",
             static_cast<double>(context.services.clock.steady_ms() - context.started_ms) / 1000);
  out.family("loam_build_info", "gauge", "The version of the program, as a label.");
  out.sample("loam_build_info", {{"version", context.settings.version}}, 1);
}

}  // namespace

void add_metrics_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/metrics", Need::kInfer,
             [&context](const Call& call) -> ApiResult<> {
               Exposition out;
               context.metrics->write(out);
               write_models(out, context.services.residency.list());
               write_process(out, context);
               http::Response response;
               response.headers.set("content-type", "text/plain; version=0.0.4; charset=utf-8");
               response.body = out.take();
               call.exchange->respond(std::move(response));
               return {};
             });
}

}  // namespace loam::api
