// Server-sent events. @source WHATWG HTML, section "Server-sent events".
#pragma once

#include <string>

#include "codec/json.h"
#include "http/message.h"

namespace loam::api {

inline std::string sse_data(const codec::Value& value) {
  return "data: " + codec::to_json(value) + "\n\n";
}
inline std::string sse_done() { return "data: [DONE]\n\n"; }
/// Something that clients ignore, so that nothing between takes the connection for dead.
inline std::string sse_comment() { return ": keep-alive\n\n"; }

inline http::Headers sse_headers() {
  http::Headers headers;
  headers.set("content-type", "text/event-stream");
  headers.set("cache-control", "no-cache");
  headers.set("x-accel-buffering", "no");  // a proxy must pass each chunk on at once
  return headers;
}

}  // namespace loam::api
