#include "http/client.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "env/clock.h"

namespace loam::http {
namespace {

constexpr int kPollMs = 200;  // how often should_stop and the stall clock are looked at

template <class T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using EasyHandle = std::unique_ptr<CURL, Freed<CURL, curl_easy_cleanup>>;
using FieldList = std::unique_ptr<curl_slist, Freed<curl_slist, curl_slist_free_all>>;
void free_multi(CURLM* multi) { curl_multi_cleanup(multi); }
using MultiHandle = std::unique_ptr<CURLM, Freed<CURLM, free_multi>>;
using UrlHandle = std::unique_ptr<CURLU, Freed<CURLU, curl_url_cleanup>>;
void free_text(char* text) { curl_free(text); }
using CurlText = std::unique_ptr<char, Freed<char, free_text>>;

void initialise() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);  // never undone: by design
  (void)once;
}

/// Keeps SIGPIPE from ending the process when a server goes away while OpenSSL writes to it. Only
/// this thread's mask is changed, so the program's own handling of the signal stays as it is.
class PipeSignalHeld {
 public:
  PipeSignalHeld() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~PipeSignalHeld() {
    const timespec at_once{};
    if (!was_pending_)
      while (sigtimedwait(&pipe_, nullptr, &at_once) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalHeld(const PipeSignalHeld&) = delete;
  PipeSignalHeld& operator=(const PipeSignalHeld&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  return CurlText(text).get();
}

struct Target {
  std::string scheme;
  std::string host;
  std::string shown;  // for messages: without what may be secret (user, password, query)
};

std::string without_secrets(CURLU* url) {
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY})
    curl_url_set(url, part, nullptr, 0);
  return url_part(url, CURLUPART_URL);
}

CURLUcode split_url(CURLU* parts, const std::string& url) {
  return curl_url_set(parts, CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME);
}

Result<Target> parse_url(const std::string& url) {
  const UrlHandle parsed(curl_url());
  const CURLUcode code = split_url(parsed.get(), url);
  if (code != CURLUE_OK || url.contains('\0'))
    return fail(ErrorCode::kInvalidArgument,
                format("fetch {}: not a valid URL: {}",
                       url.find_first_of("@?") == std::string::npos ? url : "what was given",
                       curl_url_strerror(code)),
                "give a full URL such as https://example.org/file");
  Target target{url_part(parsed.get(), CURLUPART_SCHEME), url_part(parsed.get(), CURLUPART_HOST),
                without_secrets(parsed.get())};
  if (target.scheme != "https" && target.scheme != "http")
    return fail(ErrorCode::kUnsupported,
                format("fetch {}: the scheme {} is not served", target.shown, target.scheme),
                "use https or http");
  return target;
}

bool is_loopback_name(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

/// One call: what libcurl tells us on the way, and why we ended it if we did.
struct Transfer {
  Transfer(const ClientRequest& what, const ClientCallbacks& whom, std::string url)
      : request(what), callbacks(whom), shown(std::move(url)), easy(curl_easy_init()) {}

  const ClientRequest& request;
  const ClientCallbacks& callbacks;
  const std::string shown;
  const EasyHandle easy;
  ReplyHead head;
  bool head_given = false;
  bool stopped = false;
  std::int64_t last_byte_ms = 0;
  curl_off_t bytes_received = 0;
  env::SystemClock clock;

  void note_byte() { last_byte_ms = clock.steady_ms(); }

  bool will_redirect() const {
    if (request.redirects_max == 0 || head.headers.find("location") == nullptr) return false;
    const int s = head.status;
    return s == 301 || s == 302 || s == 303 || s == 307 || s == 308;
  }

  /// Once the head of the final reply is whole.
  bool give_head() {
    if (std::exchange(head_given, true)) return true;
    if (!callbacks.on_head || callbacks.on_head(head)) return true;
    stopped = true;
    return false;
  }

  bool on_field(std::string_view line) {
    note_byte();
    line = trim(line);
    if (line.starts_with("HTTP/")) {
      head = {};
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos)
        head.status = static_cast<int>(parse_int(line.substr(space + 1, 3)).value_or(0));
      return true;
    }
    if (line.empty()) return head.status < 200 || will_redirect() || give_head();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || head_given) return true;  // a trailer comes after it all
    head.headers.add(to_lower_ascii(line.substr(0, colon)),
                     std::string(trim(line.substr(colon + 1))));
    return true;
  }

  bool on_body(std::string_view data) {
    note_byte();
    if (!give_head()) return false;
    bytes_received += static_cast<curl_off_t>(data.size());
    if (!callbacks.on_data || callbacks.on_data(data)) return true;
    stopped = true;
    return false;
  }
};

std::size_t field_callback(char* data, std::size_t size, std::size_t count, void* user) {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(user)->on_field({data, bytes}) ? bytes : 0;
}

std::size_t body_callback(char* data, std::size_t size, std::size_t count, void* user) {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(user)->on_body({data, bytes}) ? bytes : 0;
}

/// Child processes must not hold our connections open.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

Result<FieldList> field_list(const ClientRequest& request, const Target& target) {
  FieldList list;
  const auto append = [&](const std::string& line) {
    list.reset(curl_slist_append(list.release(), line.c_str()));
  };
  for (const auto& [name, value] : request.headers.all()) {
    const auto is_control = [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte < 0x20 || byte == 0x7F;
    };
    if (name.empty() || std::ranges::any_of(name, is_control) || name.contains(':') ||
        std::ranges::any_of(value, is_control))
      return fail(ErrorCode::kInvalidArgument,
                  format("fetch {}: a header holds a character that is not allowed", target.shown));
    // libcurl takes "name:" as "leave out"; "name;" sends it empty.
    append(value.empty() ? format("{};", name) : format("{}: {}", name, value));
  }
  append("Expect:");  // a round trip for nothing
  return list;
}

void set_method(CURL* easy, const ClientRequest& request) {
  const auto body_bytes = static_cast<curl_off_t>(request.body.size());
  switch (request.method) {
    case Method::kGet: curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); return;
    case Method::kHead: curl_easy_setopt(easy, CURLOPT_NOBODY, 1L); return;
    case Method::kPost: break;
    case Method::kPut:
    case Method::kDelete:
    case Method::kOptions:
    case Method::kOther:
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                       std::string(method_name(request.method)).c_str());
      if (request.body.empty() && request.method != Method::kPut) return;
  }
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, body_bytes);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
}

void set_options(Transfer& transfer, const Target& target, curl_slist* fields) {
  CURL* const easy = transfer.easy.get();
  const ClientRequest& request = transfer.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request.redirects_max > 0 ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(request.redirects_max));
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
                   target.scheme == "https" ? "https" : "https,http");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, field_callback);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_callback);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (!request.ca_path.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_path.c_str());
  if (is_loopback_name(target.host)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  set_method(easy, request);
}

ErrorCode code_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return ErrorCode::kDeadlineExceeded;
    case CURLE_UNSUPPORTED_PROTOCOL: return ErrorCode::kUnsupported;
    case CURLE_URL_MALFORMAT: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kUnavailable;
  }
}

std::unexpected<Error> transfer_error(const Transfer& transfer, CURLcode code) {
  const std::string& url = transfer.shown;
  if (transfer.stopped) return fail(ErrorCode::kCancelled, format("fetch {}: stopped", url));
  std::string reason = curl_easy_strerror(code);
  std::string hint;
  if (code == CURLE_UNSUPPORTED_PROTOCOL)
    reason = "it redirects to what is neither http nor https, or from https to http";
  if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
    reason = format("the connection broke after {} bytes of the body", transfer.bytes_received);
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    reason = format("the server's certificate is not trusted: {}", reason);
    hint = "check the name and the certificate; never send anything to a server you cannot trust";
  }
  if (code == CURLE_COULDNT_CONNECT) hint = "check that the server runs and that the port is right";
  if (code == CURLE_COULDNT_RESOLVE_HOST) hint = "check the name and the network";
  return fail(code_of(code), format("fetch {}: {}", url, reason), hint);
}

/// The bytes that went up count as life too.
void note_upload(Transfer& transfer, curl_off_t& sent_before) {
  curl_off_t sent = 0;
  curl_off_t ready_us = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  // Until the connection stands, connect_timeout_ms watches.
  if (sent != std::exchange(sent_before, sent) || ready_us == 0) transfer.note_byte();
}

Result<> perform(Transfer& transfer) {
  const MultiHandle multi(curl_multi_init());
  curl_multi_add_handle(multi.get(), transfer.easy.get());
  const auto remove = [&](CURL* easy) { curl_multi_remove_handle(multi.get(), easy); };
  const std::unique_ptr<CURL, decltype(remove)> added(transfer.easy.get(), remove);
  const std::int64_t stall_ms = transfer.request.stall_timeout_ms;
  const int poll_ms =
      stall_ms > 0 ? static_cast<int>(std::min<std::int64_t>(kPollMs, stall_ms)) : kPollMs;
  curl_off_t sent = 0;
  transfer.note_byte();
  for (;;) {
    if (transfer.callbacks.should_stop && transfer.callbacks.should_stop()) {
      transfer.stopped = true;
      return transfer_error(transfer, CURLE_ABORTED_BY_CALLBACK);
    }
    int running = 0;
    const CURLMcode failed = curl_multi_perform(multi.get(), &running);
    if (failed != CURLM_OK)
      return fail(ErrorCode::kUnavailable,
                  format("fetch {}: {}", transfer.shown, curl_multi_strerror(failed)));
    if (running == 0) break;
    note_upload(transfer, sent);
    if (stall_ms > 0 && transfer.clock.steady_ms() - transfer.last_byte_ms >= stall_ms)
      return fail(
          ErrorCode::kDeadlineExceeded,
          format("fetch {}: no byte came for {} s, after {} bytes of the body", transfer.shown,
                 static_cast<double>(stall_ms) / 1000, transfer.bytes_received));
    curl_multi_poll(multi.get(), nullptr, 0, poll_ms, nullptr);
  }
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE)
    return fail(ErrorCode::kInternal, format("fetch {}: ended without a result", transfer.shown));
  if (message->data.result != CURLE_OK) return transfer_error(transfer, message->data.result);
  return {};
}

}  // namespace

Result<ReplyHead> fetch_stream(const ClientRequest& request, const ClientCallbacks& callbacks) {
  initialise();
  const PipeSignalHeld held;
  const Target target = LOAM_TRY(parse_url(request.url));
  const FieldList fields = LOAM_TRY(field_list(request, target));
  Transfer transfer(request, callbacks, target.shown);
  if (!transfer.easy)
    return fail(ErrorCode::kUnavailable, format("fetch {}: out of memory", target.shown));
  set_options(transfer, target, fields.get());
  LOAM_TRY(perform(transfer));
  if (!transfer.give_head()) return transfer_error(transfer, CURLE_WRITE_ERROR);
  return std::move(transfer.head);
}

Result<Response> fetch(const ClientRequest& request, std::function<bool()> should_stop) {
  std::string body;
  bool too_large = false;
  ClientCallbacks callbacks;
  callbacks.on_data = [&](std::string_view data) {
    too_large = data.size() > request.body_bytes_max - body.size();
    if (!too_large) body.append(data);
    return !too_large;
  };
  callbacks.should_stop = std::move(should_stop);
  auto head = fetch_stream(request, callbacks);
  if (too_large) {
    const Target target = LOAM_TRY(parse_url(request.url));
    return fail(ErrorCode::kResourceExhausted, format("fetch {}: the reply is larger than {} bytes",
                                                      target.shown, request.body_bytes_max));
  }
  if (!head) return std::unexpected(std::move(head).error());
  return Response{head->status, std::move(head->headers), std::move(body)};
}

std::string shown_url(const std::string& url) {
  initialise();
  const UrlHandle parsed(curl_url());
  if (split_url(parsed.get(), url) != CURLUE_OK) return "what was given";
  return without_secrets(parsed.get());
}

}  // namespace loam::http
