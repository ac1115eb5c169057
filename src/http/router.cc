#include "http/router.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/parse.h"

namespace loam::http {
namespace {

bool is_rest(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with("...}");
}

bool is_placeholder(std::string_view segment) { return segment.starts_with('{'); }

/// What the placeholders matched; empty if the path does not fit the pattern.
std::optional<std::vector<std::string>> match(const std::vector<std::string>& pattern,
                                              std::string_view path) {
  std::vector<std::string> params;
  std::string_view rest = path.substr(1);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_rest(pattern[i])) {
      if (rest.empty()) return std::nullopt;
      params.emplace_back(rest);
      return params;
    }
    const std::size_t slash = rest.find('/');
    const bool last = i + 1 == pattern.size();
    if (last != (slash == std::string_view::npos)) return std::nullopt;
    const std::string_view segment = rest.substr(0, slash);
    if (is_placeholder(pattern[i])) {
      if (segment.empty()) return std::nullopt;
      params.emplace_back(segment);
    } else if (segment != pattern[i]) {
      return std::nullopt;
    }
    if (!last) rest.remove_prefix(slash + 1);
  }
  return params;
}

/// Smaller is more exact, compared segment by segment from the left.
std::vector<int> rank(const std::vector<std::string>& pattern) {
  std::vector<int> ranks;
  for (const std::string& segment : pattern)
    ranks.push_back(is_rest(segment) ? 2 : is_placeholder(segment) ? 1 : 0);
  return ranks;
}

}  // namespace

void Router::add(Method method, std::string_view pattern, Handler handler) {
  LOAM_CHECK(pattern.starts_with('/'));
  LOAM_CHECK(handler != nullptr);
  Route route{method, std::string(pattern), {}, std::move(handler)};
  for (const std::string_view segment : split(pattern.substr(1), '/')) {
    LOAM_CHECK(route.segments.empty() || !is_rest(route.segments.back()));
    route.segments.emplace_back(segment);
  }
  for (const Route& known : routes_)
    LOAM_CHECK(known.method != method || known.pattern != route.pattern);
  // Kept from the most exact to the least, so that the first match is the right one.
  const auto place = std::ranges::upper_bound(
      routes_, rank(route.segments), {}, [](const Route& known) { return rank(known.segments); });
  routes_.insert(place, std::move(route));
}

Router::Match Router::find(Method method, std::string_view path) const {
  Match found;
  if (!path.starts_with('/')) return found;
  const Route* by_get = nullptr;
  std::vector<std::string> get_params;
  std::vector<std::string_view> allowed;
  for (const Route& route : routes_) {
    auto params = match(route.segments, path);
    if (!params) continue;
    if (found.pattern.empty()) found.pattern = route.pattern;
    if (route.method == method) {
      return {&route.handler, route.pattern, *std::move(params), {}};
    }
    if (route.method == Method::kGet && by_get == nullptr) {
      by_get = &route;
      get_params = *std::move(params);
      allowed.push_back(method_name(Method::kHead));
    }
    allowed.push_back(method_name(route.method));
  }
  if (method == Method::kHead && by_get != nullptr)
    return {&by_get->handler, by_get->pattern, std::move(get_params), {}};
  std::ranges::sort(allowed);
  const auto repeated = std::ranges::unique(allowed);
  allowed.erase(repeated.begin(), repeated.end());
  for (const std::string_view name : allowed) {
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += name;
  }
  return found;
}

}  // namespace loam::http
