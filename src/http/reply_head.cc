#include "http/reply_head.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/format.h"

namespace loam::http {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/// Clients read the number; RFC 9112 lets the phrase be empty.
std::string_view reason_phrase(int status) {
  const auto* const found = std::ranges::find(kReasons, status, &Reason::status);
  return found == std::end(kReasons) ? std::string_view{} : found->phrase;
}

bool is_framing(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOurs = {"content-length", "transfer-encoding",
                                                     "connection", "x-request-id", "date"};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return same_name(name, ours); });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  const auto append_clean = [&](std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      out += byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
  };
  append_clean(name);
  out += ": ";
  append_clean(value);
  out += "\r\n";
}

}  // namespace

bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

std::string http_date(std::int64_t unix_s) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds now{seconds(unix_s)};
  const sys_days day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(now - day);
  return format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1U], static_cast<int>(date.year()),
                time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string write_reply_head(int status, const Headers& headers, const Framing& framing,
                             std::string_view request_id, std::int64_t now_s) {
  std::string out = format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers.all())
    if (!is_framing(name)) append_field(out, name, value);
  append_field(out, "date", http_date(now_s));
  append_field(out, "x-request-id", request_id);
  if (framing.chunked)
    append_field(out, "transfer-encoding", "chunked");
  else if (framing.length && !has_no_body(status))
    append_field(out, "content-length", format("{}", *framing.length));
  append_field(out, "connection", framing.keep_alive ? "keep-alive" : "close");
  out += "\r\n";
  return out;
}

std::string write_chunk(std::string_view data) {
  std::string out = format("{:x}\r\n", data.size());
  out.reserve(out.size() + data.size() + 2);
  out += data;
  out += "\r\n";
  return out;
}

}  // namespace loam::http
