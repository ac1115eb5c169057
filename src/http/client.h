// The HTTP client. Home of libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace loam::http {

struct ClientRequest {
  Method method = Method::kGet;
  std::string url;  // http or https only
  Headers headers;
  std::string body;
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t stall_timeout_ms = 60'000;  // no byte for so long: DeadlineExceeded; 0: never
  std::int64_t total_timeout_ms = 0;       // 0: none
  std::string ca_path = {};                // PEM: trusted instead of the system's authorities
  int redirects_max = 5;  // never from https to http; credentials stay with the host
  std::uint64_t body_bytes_max = 64U << 20;  // fetch() only; who takes a stream counts for himself
};

/// The head of a reply, given before its body.
struct ReplyHead {
  int status = 0;
  Headers headers;
};

struct ClientCallbacks {
  /// Return false to stop (the call then fails with Cancelled).
  std::function<bool(const ReplyHead&)> on_head;
  std::function<bool(std::string_view)> on_data;
  /// Asked about every 0.2 s even when nothing arrives; true stops the call with Cancelled.
  std::function<bool()> should_stop;
};

/// Sends the request and waits for the whole reply; any status is a success here.
/// Redirects are followed here; Authorization and Cookie do not go along to another host or port.
/// Ask for a part with a `range` header. A proxy named in the environment is used, except for
/// loopback addresses.
///
/// @error Unavailable  no connection, or it broke (message says which). DeadlineExceeded.
/// @error ResourceExhausted  body larger than body_bytes_max.
/// @error InvalidArgument  bad URL or header. Unsupported  neither https nor http, also as the
/// target of a redirect; a redirect from https to http.
/// @param should_stop  as ClientCallbacks has it; may be empty.
/// @thread any; each call is independent.
Result<Response> fetch(const ClientRequest& request, std::function<bool()> should_stop = {});

/// The same, the body given piece by piece to `on_data`.
Result<ReplyHead> fetch_stream(const ClientRequest& request, const ClientCallbacks& callbacks);

/// `url` for messages: without user, password and query, which may be secret; "what was given" if
/// it is no URL.
std::string shown_url(const std::string& url);

}  // namespace loam::http
