// Routes that need a model in memory.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/context.h"

namespace loam::api {

using WithLease = std::function<ApiResult<>(const pool::Lease&)>;

/// Runs `body` with the model once it is loaded, on this thread or another, unless the client has
/// left by then; an error, of the load or of `body`, is answered.
void with_model(Context& context, const Call& call, const std::string& name,
                std::optional<std::int64_t> keep_alive_s, WithLease body);

/// The same for an answer of `name`, which an adapter that is being tried under that name may give
/// instead. If that cannot be loaded, `name` itself answers; and if the adapter is to blame, it is
/// not tried any longer.
void with_answering_model(Context& context, const Call& call, const std::string& name,
                          std::optional<std::int64_t> keep_alive_s, const WithLease& body);

/// The model that a request means which may leave it out: the one it names, else the only one
/// loaded, else the only one there is. @error 400 naming `model`.
ApiResult<std::string> chosen_model(Context& context, const std::optional<std::string>& named);

}  // namespace loam::api
