#include "api/access.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/parse.h"

namespace loam::api {
namespace {

constexpr std::string_view kLocalCaller = "local";

ApiError not_allowed(std::string code, const std::string& message) {
  ApiError error = error_of_status(403, message);
  error.code = std::move(code);
  return error;
}

/// "localhost:5626" -> "localhost", "[::1]:5626" -> "[::1]"; empty if it is no host and port.
std::string host_name(std::string_view host) {
  std::size_t end = host.find(':');
  if (host.starts_with('[')) {
    const std::size_t bracket = host.find(']');
    if (bracket == std::string_view::npos) return {};
    end = bracket + 1;
  }
  const std::string_view port = end >= host.size() ? "" : host.substr(end);
  if (!port.empty() && (!port.starts_with(':') || !parse_int(port.substr(1)))) return {};
  return to_lower_ascii(host.substr(0, end));
}

/// A literal 127.x.y.z; a name that only resolves to it is not one.
bool is_loopback_address(std::string_view name) {
  const auto parts = split(name, '.');
  if (parts.size() != 4 || parts[0] != "127") return false;
  return std::ranges::all_of(parts, [](std::string_view part) {
    const auto number = parse_int(part);
    return number && *number >= 0 && *number <= 255;
  });
}

bool is_loopback_name(std::string_view name) {
  return name == "localhost" || name == "[::1]" || is_loopback_address(name);
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::any_of(
      list, [&](const std::string& entry) { return to_lower_ascii(entry) == item; });
}

bool was_passed_on(const http::Request& request) {
  for (const char* name : {"forwarded", "x-forwarded-for", "x-real-ip", "via"})
    if (request.headers.find(name) != nullptr) return true;
  return false;
}

/// True if a page of `origin` was served by the host that the request names.
bool is_own_origin(const http::Request& request, std::string_view origin) {
  const std::string* host = request.headers.find("host");
  if (host == nullptr) return false;
  const std::string lower = to_lower_ascii(*host);
  return origin == "http://" + lower || origin == "https://" + lower;
}

ApiResult<pool::Caller> unknown_caller(const std::string& secret, bool local, Need need) {
  ApiError error;
  if (need == Need::kInfer && !local) {
    error = error_of_status(
        401, secret.empty() ? "this node asks for an API key: send Authorization: Bearer KEY "
                              "(loam key new makes one)"
                            : "this API key is not known here (loam key new makes one)");
  } else {
    error = error_of_status(
        401, secret.empty()
                 ? "this needs the owner's token or an API key: send Authorization: Bearer TOKEN "
                   "(loam on the node's machine sends it by itself)"
                 : "neither the owner's token nor a known API key was sent");
  }
  return refuse(std::move(error));
}

}  // namespace

bool is_local(const http::Request& request, const AccessRules& rules) {
  return rules.listens_on_loopback && request.peer_is_loopback && !was_passed_on(request);
}

ApiResult<> check_source(const http::Request& request, const AccessRules& rules) {
  const std::string* host = request.headers.find("host");
  if (rules.listens_on_loopback && host != nullptr) {
    const std::string name = host_name(*host);
    if (!is_loopback_name(name) && !contains(rules.allowed_hosts, name))
      return refuse(not_allowed("host_not_allowed",
                                "this node answers only under a loopback name such as 127.0.0.1; "
                                "add the name to allow.hosts if it is yours"));
  }
  const std::string* origin = request.headers.find("origin");
  if (origin == nullptr) return {};
  const std::string lower = to_lower_ascii(*origin);
  if (is_own_origin(request, lower) || contains(rules.allowed_origins, lower) ||
      contains(rules.allowed_origins, "*"))
    return {};
  return refuse(not_allowed("origin_not_allowed",
                            "a page of another site may not use this node; add its origin to "
                            "allow.origins if it is yours"));
}

std::optional<std::string> foreign_origin(const http::Request& request, const AccessRules& rules) {
  const std::string* origin = request.headers.find("origin");
  if (origin == nullptr) return std::nullopt;
  const std::string lower = to_lower_ascii(*origin);
  if (contains(rules.allowed_origins, lower) || contains(rules.allowed_origins, "*"))
    return *origin;
  return std::nullopt;
}

ApiResult<std::string> secret_of(const http::Request& request) {
  if (const std::string* value = request.headers.find("authorization")) {
    const std::string_view text = trim(*value);
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || to_lower_ascii(text.substr(0, space)) != "bearer")
      return refuse(error_of_status(401, "Authorization: must be \"Bearer KEY\""));
    return std::string(trim(text.substr(space)));
  }
  if (const std::string* value = request.headers.find("x-api-key"))
    return std::string(trim(*value));
  return std::string();
}

ApiResult<pool::Caller> check_caller(const http::Request& request, const AccessRules& rules,
                                     pool::KeyRing& keys, Need need) {
  const bool local = is_local(request, rules);
  const bool open = need == Need::kNothing || (need == Need::kInfer && local);
  const auto secret = secret_of(request);
  if (!secret && !open) return refuse(secret.error());
  const std::string text = secret ? *secret : std::string();

  std::optional<pool::Caller> caller;
  if (!text.empty()) caller = keys.identify(text);
  if (!caller) {
    if (!open) return unknown_caller(text, local, need);
    return pool::Caller{std::string(kLocalCaller), {.infer = true}};
  }
  if (need == Need::kInfer && !caller->scopes.infer)
    return refuse(not_allowed("missing_scope", "this API key lacks the scope infer"));
  if (need == Need::kPublish && !caller->scopes.publish)
    return refuse(not_allowed("missing_scope", "this API key lacks the scope publish"));
  if (need == Need::kAdmin && !caller->scopes.admin)
    return refuse(
        not_allowed("missing_scope", "this API key lacks the scope admin; use the owner's token"));
  return *std::move(caller);
}

}  // namespace loam::api
