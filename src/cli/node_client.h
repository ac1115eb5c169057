// The node as a verb sees it: requests, replies, streams, errors.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/invocation.h"
#include "codec/members.h"
#include "codec/value.h"
#include "http/message.h"

namespace loam::cli {

/// Where the node is and what opens it.
struct Endpoint {
  std::string url;
  std::string secret;     // owner's token or LOAM_API_KEY; empty: none
  bool is_given = false;  // by --url or LOAM_URL: then no node is started for it
};

/// --url, else LOAM_URL, else the node that runs on our folders, else the configured address.
/// The owner's token is attached only for the node that runs on our own folders, so that nobody
/// who happens to listen there gets it; LOAM_API_KEY stands above it and goes wherever the URL
/// points.
Result<Endpoint> find_endpoint(const Invocation& invocation);

/// Asked a few times a second; true stops the call with Cancelled.
using ShouldStop = std::function<bool()>;
/// Gets one event or line; false stops the call with Cancelled.
using OnPiece = std::function<bool(const std::string&)>;

/// Any reply but 2xx is an Error: its code by the status, its message as the node says it.
/// @error Unavailable  no node there; the hint says how to start one.
class NodeClient {
 public:
  explicit NodeClient(Endpoint endpoint, ShouldStop should_stop = {});

  const Endpoint& endpoint() const { return endpoint_; }

  Result<codec::Value> get(std::string_view path) const;
  Result<codec::Value> post(std::string_view path, const codec::Value& body) const;
  Result<codec::Value> remove(std::string_view path) const;

  /// The data of each server-sent event, "[DONE]" included.
  Result<> post_events(std::string_view path, const codec::Value& body,
                       const OnPiece& on_event) const;
  /// Each line of a reply that is NDJSON.
  Result<> post_lines(std::string_view path, const codec::Value& body,
                      const OnPiece& on_line) const;

  /// True if a node answers /health there within a second.
  bool is_healthy() const;

 private:
  Result<codec::Value> send(http::Method method, std::string_view path, std::string body) const;
  Result<> stream(std::string_view path, const codec::Value& body,
                  const std::function<bool(std::string_view)>& on_data) const;

  Endpoint endpoint_;
  ShouldStop should_stop_;
};

/// What a reply of this status means for the person at the command line.
Error error_of_reply(int status, std::string_view body);
/// The same for the "error" object of a stream; `otherwise` where its code says nothing to us.
Error error_of_object(const codec::Value& error, ErrorCode otherwise);

// Reading replies, besides codec/members.h.
/// The objects of an array member.
std::vector<const codec::Value*> items_at(const codec::Value& value, std::string_view name);

/// "2026-11-23T04:10:13Z" in milliseconds since 1970; 0 for anything else.
std::int64_t parse_time_ms(std::string_view text);

/// A path segment for a model's name, '/' and ':' included.
std::string model_path(std::string_view name);

}  // namespace loam::cli
