// What a file server's reply head says. Pure; inside this module only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "http/client.h"

namespace loam::catalog {

/// "bytes 100-199/2000", "bytes 100-199/*", "bytes */2000". @source RFC 9110 section 14.4.
struct ContentRange {
  std::optional<std::uint64_t> first;  // empty: the range could not be satisfied
  std::optional<std::uint64_t> total;  // empty: not known
};
std::optional<ContentRange> parse_content_range(std::string_view text);

/// A whole decimal number that fits.
std::optional<std::uint64_t> parse_byte_count(std::string_view text);

/// The strong validator, quotes included; empty if there is none or it is weak.
std::string strong_etag(const http::Headers& headers);

/// The SHA-256 that an entity tag is, as model hubs have it for large files.
std::optional<crypto::Digest> etag_digest(std::string_view etag);

/// The failure that a status other than 200, 206 and 416 means for the file `shown`.
Error status_error(int status, std::string_view shown);
/// Whether a later try may do better: 408, 425, 429 and 5xx.
bool is_passing_status(int status);

}  // namespace loam::catalog
