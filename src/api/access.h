// Who may ask what: host names, origins, keys and scopes. @source DESIGN.md 8.9.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/errors.h"
#include "http/message.h"
#include "pool/keys.h"

namespace loam::api {

/// What a route asks of its caller.
enum class Need {
  kNothing,   // open to everybody: health, version
  kInfer,     // no key on loopback, else one of scope infer
  kIdentity,  // a key or the owner's token, on loopback too: private answers are kept by it
  kPublish,   // the owner's token or a key of scope publish, on loopback too
  kAdmin,     // the owner's token or a key of scope admin, on loopback too
};

struct AccessRules {
  bool listens_on_loopback = true;
  std::vector<std::string> allowed_hosts;    // host names besides loopback's, without port
  std::vector<std::string> allowed_origins;  // "https://a.example"; "*": every page
};

/// True if the request was made on this machine to a loopback listener, and no proxy passed it on.
bool is_local(const http::Request& request, const AccessRules& rules);

/// Refuses what a browser is made to send by a foreign page: a Host that is not ours (DNS
/// rebinding) and an Origin that is neither ours nor allowed.
ApiResult<> check_source(const http::Request& request, const AccessRules& rules);

/// The Origin that a reply should name as allowed; empty if the request has none or it is ours.
std::optional<std::string> foreign_origin(const http::Request& request, const AccessRules& rules);

/// The secret that the request carries; empty if none.
/// @error 401  an Authorization header that is not "Bearer SECRET".
ApiResult<std::string> secret_of(const http::Request& request);

/// Who sends the request, if that satisfies `need`.
/// @error 401 no or an unknown key; 403 a key without the scope.
ApiResult<pool::Caller> check_caller(const http::Request& request, const AccessRules& rules,
                                     pool::KeyRing& keys, Need need);

}  // namespace loam::api
