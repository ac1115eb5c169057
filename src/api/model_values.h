// Models as Loam's own routes show them. @source docs/api/openapi.yaml.
#pragma once

#include "api/context.h"

namespace loam::api {

enum class Detail { kList, kWhole };  // kWhole: with the chat template

/// `Model` of the description; the file's path only for those who may know it.
codec::Value model_value(Context& context, const Call& call, const catalog::Model& model,
                         Detail detail);
/// The same for several models, at the price of one look at what is loaded.
codec::Array model_values(Context& context, const Call& call,
                          const std::vector<catalog::Model>& models);
/// `LoadedModel` of the description.
codec::Value resident_value(const pool::Resident& resident);

}  // namespace loam::api
