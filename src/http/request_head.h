// The head of an HTTP/1.x request: bytes to values, or a reason to refuse. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "http/message.h"

namespace loam::http {

/// Why a request is not served, in the terms of the reply.
struct Refusal {
  int status = 400;
  std::string message;
};

struct RequestHead {
  Request request;  // without body, params and id
  bool is_http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;  // 0 too if there is none
};

/// Parses `head`: everything from the request line to the empty line, both included. Stricter than
/// RFC 9112 wherever two parsers could disagree on where a request ends: a bare CR or LF, folded
/// lines, a space before the colon, several Content-Length, or one beside Transfer-Encoding, is
/// refused. @source RFC 9112 sections 2 to 6, RFC 9110 section 5.
std::expected<RequestHead, Refusal> parse_request_head(std::string_view head);

}  // namespace loam::http
