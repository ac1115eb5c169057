#include "http/request_head.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"

namespace loam::http {
namespace {

using Checked = std::expected<void, Refusal>;

constexpr std::size_t kFieldsMax = 128;           // chosen; browsers send about 20
constexpr std::size_t kContentLengthDigits = 18;  // more cannot be held or be meant

std::unexpected<Refusal> refuse(int status, std::string message) {
  return std::unexpected(Refusal{status, std::move(message)});
}

bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.contains(c);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

/// Printable, space, tab, or a byte above ASCII (whose meaning is left to the reader).
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

bool is_target_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7F && c != '#';
}

/// The list items of all fields of that name, as `Connection: keep-alive, close` has them.
bool lists_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [known, value] : headers.all()) {
    if (!same_name(known, name)) continue;
    for (const std::string_view item : split(value, ','))
      if (same_name(trim(item), token)) return true;
  }
  return false;
}

std::ptrdiff_t count(const Headers& headers, std::string_view name) {
  return std::ranges::count_if(headers.all(),
                               [&](const auto& field) { return same_name(field.first, name); });
}

/// Cuts the line that ends in CRLF off `text`.
std::expected<std::string_view, Refusal> take_line(std::string_view& text) {
  const std::size_t end = text.find_first_of("\r\n");
  if (end == std::string_view::npos || text.substr(end, 2) != "\r\n")
    return refuse(400, "a line of the request head does not end in CR LF");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

Checked parse_target(std::string_view target, Request& request) {
  if (target.empty() || !std::ranges::all_of(target, is_target_char))
    return refuse(400, "the request target holds a character that is not allowed");
  // Absolute form, as sent to a proxy: only the path matters here.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_name(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    break;
  }
  const std::size_t question = target.find('?');
  const std::string_view raw_path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  if (raw_path.empty() && (question != std::string_view::npos || target.empty())) {
    request.path = "/";
    return {};
  }
  if (!raw_path.starts_with('/')) return refuse(400, "the request target is not a path");
  auto path = percent_decode(raw_path);
  if (!path) return refuse(400, "the path holds a broken %-escape");
  if (path->contains('\0')) return refuse(400, "the path holds a NUL");
  if (!is_valid_utf8(*path)) return refuse(400, "the path is not valid UTF-8");
  for (const std::string_view segment : split(*path, '/'))
    if (segment == "." || segment == "..") return refuse(400, "the path holds a dot segment");
  request.path = *std::move(path);
  return {};
}

Checked parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return refuse(400, "the request line is not METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return refuse(400, "the request method is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/")) return refuse(505, "only HTTP/1.1 and HTTP/1.0 are served");
    return refuse(400, "the request line names no HTTP version");
  }
  head.is_http_1_0 = version == "HTTP/1.0";
  head.request.method = parse_method(method);
  return parse_target(line.substr(first + 1, last - first - 1), head.request);
}

Checked parse_field(std::string_view line, Headers& headers) {
  const std::size_t colon = line.find(':');
  // A folded line begins with a space, which is no token character either.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return refuse(400, "a header field is malformed");
  const std::string_view value = line.substr(colon + 1);
  if (!std::ranges::all_of(value, is_value_char))
    return refuse(400, "a header field holds a control character");
  if (headers.all().size() >= kFieldsMax)
    return refuse(431, format("the request has more than {} header fields", kFieldsMax));
  headers.add(std::string(line.substr(0, colon)), std::string(trim(value)));
  return {};
}

Checked parse_framing(RequestHead& head) {
  const Headers& headers = head.request.headers;
  const std::string* const encoding = headers.find("transfer-encoding");
  const std::string* const length = headers.find("content-length");
  if (encoding != nullptr) {
    if (length != nullptr)
      return refuse(400, "the request has both Content-Length and Transfer-Encoding");
    if (head.is_http_1_0) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (count(headers, "transfer-encoding") > 1 || !same_name(*encoding, "chunked"))
      return refuse(501, "the only Transfer-Encoding served is chunked");
    head.chunked = true;
  }
  if (length != nullptr) {
    if (count(headers, "content-length") > 1)
      return refuse(400, "the request has several Content-Length fields");
    const bool digits = !length->empty() && length->size() <= kContentLengthDigits &&
                        std::ranges::all_of(*length, [](char c) { return c >= '0' && c <= '9'; });
    const auto value = digits ? parse_int(*length) : std::nullopt;
    if (!value) return refuse(400, "the Content-Length is not a number");
    head.content_length = static_cast<std::uint64_t>(*value);
  }
  return {};
}

Checked parse_rest(RequestHead& head) {
  const Headers& headers = head.request.headers;
  const std::ptrdiff_t hosts = count(headers, "host");
  if (hosts > 1) return refuse(400, "the request has several Host fields");
  if (hosts == 0 && !head.is_http_1_0) return refuse(400, "the request has no Host field");
  // Of HTTP/1.0 no connection is kept: who still speaks it does not count on it.
  head.keep_alive = !head.is_http_1_0 && !lists_token(headers, "connection", "close");
  if (const std::string* const expect = headers.find("expect"); expect != nullptr) {
    if (!same_name(*expect, "100-continue"))
      return refuse(417, "the only expectation met is 100-continue");
    head.expects_continue = !head.is_http_1_0;
  }
  return parse_framing(head);
}

}  // namespace

std::expected<RequestHead, Refusal> parse_request_head(std::string_view text) {
  RequestHead head;
  const auto request_line = take_line(text);
  if (!request_line) return std::unexpected(request_line.error());
  if (auto checked = parse_request_line(*request_line, head); !checked)
    return std::unexpected(std::move(checked).error());
  for (;;) {
    const auto line = take_line(text);
    if (!line) return std::unexpected(line.error());
    if (line->empty()) break;
    if (auto checked = parse_field(*line, head.request.headers); !checked)
      return std::unexpected(std::move(checked).error());
  }
  if (!text.empty()) return refuse(400, "something follows the empty line of the request head");
  if (auto checked = parse_rest(head); !checked) return std::unexpected(std::move(checked).error());
  return head;
}

}  // namespace loam::http
