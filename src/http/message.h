// HTTP messages as plain values. Nothing here knows a socket or an endpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "env/disk.h"

namespace loam::http {

enum class Method { kGet, kHead, kPost, kPut, kDelete, kOptions, kOther };
std::string_view method_name(Method method);
/// kOther for a method that no route of ours has.
Method parse_method(std::string_view name);

/// Field names compare without case (ASCII only).
bool same_name(std::string_view a, std::string_view b);

/// Fields in order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value);
  void set(std::string name, std::string value);  // replaces all of that name
  void remove(std::string_view name);
  /// The first value; nullptr if there is none. Valid until the next change.
  const std::string* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  Method method = Method::kGet;
  std::string path;   // percent-decoded, begins with '/', valid UTF-8, no NUL
  std::string query;  // raw, without '?'
  Headers headers;
  std::string body;                 // whole, within Limits::body_bytes_max
  std::vector<std::string> params;  // what the route's placeholders matched, in order
  std::string id;  // ours, "req_...": in the reply's x-request-id and in error logs
  bool peer_is_loopback = false;

  /// A decoded query parameter ('+' read as a space); empty if absent, or not valid UTF-8 once
  /// decoded.
  std::optional<std::string> query_param(std::string_view name) const;
};

/// A part of an open file, which must not change. Read piece by piece, as fast as the client takes
/// it, so that a large one needs no memory.
struct FilePart {
  std::shared_ptr<const env::Fd> file;  // shared, so that a Response can be copied
  env::Path path;                       // for messages
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct Response {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  std::optional<FilePart> file = {};  // in place of `body`
};

/// %XX decoded; '+' stays. Empty if an escape is broken.
std::optional<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);

}  // namespace loam::http
