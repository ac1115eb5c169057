#include "api/model_values.h"

#include <algorithm>

#include "api/times.h"

namespace loam::api {
namespace {

codec::Value facts_value(const catalog::ModelFacts& facts, Detail detail) {
  codec::Object out{{"architecture", facts.architecture},
                    {"display_name", facts.display_name},
                    {"quantisation", facts.quantisation},
                    {"parameters", facts.parameters},
                    {"context", facts.context},
                    {"embedding_width", facts.embedding_width},
                    {"layers", facts.layers},
                    {"licence", facts.licence}};
  if (detail == Detail::kWhole) out.emplace_back("chat_template", facts.chat_template);
  return out;
}

codec::Value one_model(const Call& call, const catalog::Model& model,
                       const std::vector<pool::Resident>& loaded, Detail detail) {
  const bool is_loaded = std::ranges::any_of(
      loaded, [&](const pool::Resident& one) { return one.name == model.name; });
  codec::Object out{{"name", model.name},
                    {"sha256", crypto::digest_hex(model.sha256)},
                    {"bytes", model.bytes},
                    {"source", model.source},
                    {"licence", model.licence},
                    {"added_at", rfc3339(model.added_ms)},
                    {"used_at", rfc3339_or_null(model.used_ms)},
                    {"loaded", is_loaded},
                    {"facts", facts_value(model.facts, detail)}};
  if (model.adapter)
    out.emplace_back("adapter", codec::Object{{"sha256", crypto::digest_hex(model.adapter->sha256)},
                                              {"bytes", model.adapter->bytes}});
  if (call.is_trusted()) out.emplace_back("path", model.file.string());
  return out;
}

}  // namespace

codec::Value model_value(Context& context, const Call& call, const catalog::Model& model,
                         Detail detail) {
  return one_model(call, model, context.services.residency.list(), detail);
}

codec::Array model_values(Context& context, const Call& call,
                          const std::vector<catalog::Model>& models) {
  const auto loaded = context.services.residency.list();
  codec::Array out;
  for (const catalog::Model& model : models)
    out.push_back(one_model(call, model, loaded, Detail::kList));
  return out;
}

codec::Value resident_value(const pool::Resident& resident) {
  return codec::Object{
      {"name", resident.name},
      {"description", resident.info.description},
      {"bytes", resident.bytes},
      {"context", resident.info.context},
      {"context_used", resident.stats.context_used},
      {"context_total", resident.stats.context_total},
      {"sequences_max", resident.info.sequences_max},
      {"running", resident.stats.running},
      {"waiting", resident.stats.waiting},
      {"prompt_tokens", resident.stats.prompt_tokens},
      {"output_tokens", resident.stats.output_tokens},
      {"engine_build", resident.info.engine_build},
      {"cpu_class", resident.info.cpu_class},
      {"loaded_at", rfc3339(resident.loaded_ms)},
      {"unloads_at",
       resident.unloads_ms ? codec::Value(rfc3339(*resident.unloads_ms)) : codec::Value()}};
}

}  // namespace loam::api
