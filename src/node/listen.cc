// Listen addresses.
#include <arpa/inet.h>

#include "base/format.h"
#include "base/parse.h"
#include "node/config.h"

namespace loam::node {
namespace {

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_address(const std::string& host) {
  in6_addr any{};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                format("listen address {}: expected address:port", text),
                "for example 127.0.0.1:5626, [::1]:5626 or 0.0.0.0:5626");
  };
  const auto colon = text.rfind(':');
  std::string host(colon == std::string_view::npos ? "" : text.substr(0, colon));
  const auto port = parse_int(colon == std::string_view::npos ? text : text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return bad();
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host == "*") host = "0.0.0.0";
  if (!is_address(host)) return bad();
  return ListenAddress{host, static_cast<std::uint16_t>(*port), is_loopback(host)};
}

std::string ListenAddress::url(bool tls, std::uint16_t bound_port) const {
  std::string name = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return format("{}://{}:{}", tls ? "https" : "http", name, bound_port);
}

}  // namespace loam::node
