// The head of a reply as bytes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace loam::http {

/// How the client learns where the body ends.
struct Framing {
  std::optional<std::uint64_t> length;  // known beforehand; else chunked, or until the connection
  bool chunked = false;                 // closes
  bool keep_alive = false;
};

/// Status line, fields and empty line. Fields that frame the message are ours: those of `headers`
/// are left out; line breaks and other control characters in values become spaces, so that no value
/// can forge a field. `now_s` (Unix time) is for the Date field.
std::string write_reply_head(int status, const Headers& headers, const Framing& framing,
                             std::string_view request_id, std::int64_t now_s);

/// True if a reply of this status never has a body.
bool has_no_body(int status);

/// "Sun, 06 Nov 1994 08:49:37 GMT". @source RFC 9110 section 5.6.7.
std::string http_date(std::int64_t unix_s);

/// One chunk of a chunked body; `data` must not be empty (that would end the body).
std::string write_chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace loam::http
