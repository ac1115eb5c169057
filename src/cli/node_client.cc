#include "cli/node_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "cli/sse.h"
#include "codec/json.h"
#include "http/client.h"
#include "node/presence.h"

namespace loam::cli {
namespace {

constexpr std::uint64_t kErrorBytesMax = 64U << 10;

http::ClientRequest request_for(const Endpoint& endpoint, http::Method method,
                                std::string_view path) {
  http::ClientRequest request;
  request.method = method;
  request.url = endpoint.url + std::string(path);
  request.redirects_max = 0;
  // The node bounds its own work (load.timeout); a stall here is a model that thinks.
  request.stall_timeout_ms = 0;
  request.headers.add("user-agent", "loam-cli");
  if (!endpoint.secret.empty()) request.headers.add("authorization", "Bearer " + endpoint.secret);
  return request;
}

Error with_start_hint(Error error, const Endpoint& endpoint) {
  if (error.code != ErrorCode::kUnavailable) return error;
  error.hint = endpoint.is_given ? "is a node running there? `loam doctor` looks into it"
                                 : "start it with: loam up";
  return error;
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
    case 405:
    case 411:
    case 415:
    case 422: return ErrorCode::kInvalidArgument;
    case 401:
    case 403:
    case 451: return ErrorCode::kPermissionDenied;
    case 404:
    case 410: return ErrorCode::kNotFound;
    case 408:
    case 504: return ErrorCode::kDeadlineExceeded;
    case 409: return ErrorCode::kAlreadyExists;
    case 413:
    case 429:
    case 431:
    case 507: return ErrorCode::kResourceExhausted;
    case 501: return ErrorCode::kUnsupported;
    case 502:
    case 503: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

/// "http://localhost:5626" with the address that the name usually means.
std::string with_address(std::string url) {
  constexpr std::string_view kName = "://localhost:";
  if (const auto at = url.find(kName); at != std::string::npos)
    url.replace(at, kName.size(), "://127.0.0.1:");
  return url;
}

}  // namespace

Result<Endpoint> find_endpoint(const Invocation& invocation) {
  Endpoint out;
  const auto folders = LOAM_TRY(folders_of(invocation));
  const auto running = node::find_running(folders);
  const auto given = given_url(invocation);
  if (given) {
    if (!given->starts_with("http://") && !given->starts_with("https://"))
      return fail(ErrorCode::kInvalidArgument,
                  format("node address {}: expected http:// or https://", *given),
                  "for example --url http://127.0.0.1:5626");
    out.url = *given;
    out.is_given = true;
    // The same node by its other name; its own address is used, so that nobody else who listens on
    // another address of "localhost" is asked.
    if (running && with_address(*given) == running->url) out.url = running->url;
  } else if (running && !running->url.empty()) {
    out.url = running->url;
  } else {
    const auto config = LOAM_TRY(config_of(invocation)).config;
    const auto listen = LOAM_TRY(node::parse_listen(config.listen));
    out.url = listen.url(!config.tls.certificate.empty(), listen.port);
  }
  if (const auto key = env::variable("LOAM_API_KEY")) {
    out.secret = *key;
  } else if (running && running->url == out.url) {
    if (const auto token = env::read_file(node::token_file(folders), 4096))
      out.secret = trim(*token);
  }
  return out;
}

NodeClient::NodeClient(Endpoint endpoint, ShouldStop should_stop)
    : endpoint_(std::move(endpoint)), should_stop_(std::move(should_stop)) {}

Result<codec::Value> NodeClient::get(std::string_view path) const {
  return send(http::Method::kGet, path, "");
}

Result<codec::Value> NodeClient::post(std::string_view path, const codec::Value& body) const {
  return send(http::Method::kPost, path, codec::to_json(body));
}

Result<codec::Value> NodeClient::remove(std::string_view path) const {
  return send(http::Method::kDelete, path, "");
}

Result<codec::Value> NodeClient::send(http::Method method, std::string_view path,
                                      std::string body) const {
  http::ClientRequest request = request_for(endpoint_, method, path);
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.add("content-type", "application/json");
  std::string reply;
  http::ClientCallbacks callbacks;
  callbacks.should_stop = should_stop_;
  callbacks.on_data = [&](std::string_view data) {
    reply += data;
    return true;
  };
  const auto head = http::fetch_stream(request, callbacks);
  if (!head) return std::unexpected(with_start_hint(head.error(), endpoint_));
  if (head->status < 200 || head->status > 299)
    return std::unexpected(error_of_reply(head->status, reply));
  auto value = codec::parse_json(reply, {.bytes_max = 256U << 20, .values_max = 20'000'000});
  if (!value)
    return fail(ErrorCode::kUnavailable, format("{}: the reply is not JSON", request.url),
                "is something else listening there? `loam doctor` looks into it");
  return value;
}

Result<> NodeClient::stream(std::string_view path, const codec::Value& body,
                            const std::function<bool(std::string_view)>& on_data) const {
  http::ClientRequest request = request_for(endpoint_, http::Method::kPost, path);
  request.headers.add("content-type", "application/json");
  request.body = codec::to_json(body);
  request.body_bytes_max = UINT64_MAX;
  int status = 0;
  std::string error_body;
  http::ClientCallbacks callbacks;
  callbacks.should_stop = should_stop_;
  callbacks.on_head = [&](const http::ReplyHead& head) {
    status = head.status;
    return true;
  };
  callbacks.on_data = [&](std::string_view data) {
    if (status >= 200 && status <= 299) return on_data(data);
    error_body +=
        data.substr(0, kErrorBytesMax - std::min<std::size_t>(kErrorBytesMax, error_body.size()));
    return true;
  };
  const auto head = http::fetch_stream(request, callbacks);
  if (!head) return std::unexpected(with_start_hint(head.error(), endpoint_));
  if (head->status < 200 || head->status > 299)
    return std::unexpected(error_of_reply(head->status, error_body));
  return {};
}

Result<> NodeClient::post_events(std::string_view path, const codec::Value& body,
                                 const OnPiece& on_event) const {
  SseParser parser;
  return stream(path, body, [&](std::string_view data) {
    for (const auto& event : parser.feed(data))
      if (!on_event(event)) return false;
    return true;
  });
}

Result<> NodeClient::post_lines(std::string_view path, const codec::Value& body,
                                const OnPiece& on_line) const {
  std::string rest;
  return stream(path, body, [&](std::string_view data) {
    rest += data;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      const std::string line = rest.substr(0, end);
      rest.erase(0, end + 1);
      if (!line.empty() && !on_line(line)) return false;
    }
    return true;
  });
}

bool NodeClient::is_healthy() const {
  http::ClientRequest request = request_for(endpoint_, http::Method::kGet, "/health");
  request.connect_timeout_ms = 1000;
  request.total_timeout_ms = 1000;
  const auto reply = http::fetch(request);
  return reply && reply->status == 200;
}

Error error_of_object(const codec::Value& error, ErrorCode otherwise) {
  Error out{otherwise, text_at(error, "message"), ""};
  const std::string code = text_at(error, "code");
  for (const auto known :
       {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kAlreadyExists,
        ErrorCode::kPermissionDenied, ErrorCode::kResourceExhausted, ErrorCode::kUnavailable,
        ErrorCode::kDeadlineExceeded, ErrorCode::kCorrupt, ErrorCode::kUnsupported,
        ErrorCode::kCancelled, ErrorCode::kInternal})
    if (code == error_code_name(known)) out.code = known;
  if (code == "model_not_found") out.code = ErrorCode::kNotFound;
  if (code == "rate_limit_exceeded") out.code = ErrorCode::kResourceExhausted;
  return out;
}

Error error_of_reply(int status, std::string_view body) {
  Error error{code_of_status(status), "", ""};
  const auto value = codec::parse_json(body);
  const auto* inner = value ? value->find("error") : nullptr;
  if (inner != nullptr && inner->as_string() != nullptr) error.message = *inner->as_string();
  if (inner != nullptr && inner->as_object() != nullptr)
    error = error_of_object(*inner, error.code);
  if (error.message.empty()) {
    error.message = format("the node answered with status {}", status);
    error.hint = "is that a Loam node? `loam doctor` looks into it";
  }
  if (status == 401)
    error.hint = "set LOAM_API_KEY, or use the folders of the node (--home, LOAM_HOME)";
  return error;
}

std::vector<const codec::Value*> items_at(const codec::Value& value, std::string_view name) {
  std::vector<const codec::Value*> out;
  const auto* member = value.find(name);
  if (member != nullptr && member->as_array() != nullptr)
    for (const auto& item : *member->as_array())
      if (item.as_object() != nullptr) out.push_back(&item);
  return out;
}

std::int64_t parse_time_ms(std::string_view text) {
  if (text.size() < 20 || text[10] != 'T' || text.back() != 'Z') return 0;
  const auto part = [&](std::size_t at, std::size_t length) {
    return parse_int(text.substr(at, length)).value_or(0);
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(part(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(part(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(part(8, 2)))};
  if (!date.ok()) return 0;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + part(11, 2)) * 60 + part(14, 2)) * 60'000 + part(17, 2) * 1000;
}

std::string model_path(std::string_view name) {
  return "/loam/v1/models/" + http::percent_encode(name);
}

}  // namespace loam::cli
