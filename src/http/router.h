// Method and path to handler.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace loam::http {

/// Patterns: "/v1/models", "/v1/files/{id}" (one segment), "/v1/models/{id...}" (the rest of the
/// path, at least one character). Literal segments win over placeholders. HEAD is served by GET.
/// Set up first, then only read: const calls are thread-safe.
class Router {
 public:
  void add(Method method, std::string_view pattern, Handler handler);

  /// What the path leads to: `handler` is null if none; `allow` then names the methods that the
  /// path has ("GET, POST"), empty if the path is unknown. `pattern` is for metrics.
  struct Match {
    const Handler* handler = nullptr;
    std::string_view pattern;
    std::vector<std::string> params;
    std::string allow;
  };
  Match find(Method method, std::string_view path) const;

 private:
  struct Route {
    Method method;
    std::string pattern;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace loam::http
