#include "commons/http_log_source.h"

#include "base/format.h"
#include "http/client.h"

namespace loam::commons {
namespace {

/// No single file of a log takes longer: the largest is a bundle of 16 MB.
constexpr std::int64_t kRequestTime_ms = 120'000;
constexpr std::int64_t kStallTime_ms = 20'000;

class HttpLogSource : public ledger::LogSource {
 public:
  HttpLogSource(std::string url, std::function<bool()> should_stop)
      : url_(std::move(url)), name_(http::shown_url(url_)), should_stop_(std::move(should_stop)) {
    while (name_.ends_with('/')) name_.pop_back();
  }

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    http::ClientRequest request;
    request.url = format("{}/{}", url_, path);
    request.stall_timeout_ms = kStallTime_ms;
    request.total_timeout_ms = kRequestTime_ms;
    request.redirects_max = 0;  // a server must not have this node ask others, in its own network
    request.body_bytes_max = bytes_max;
    auto reply = LOAM_TRY(http::fetch(request, should_stop_));
    if (reply.status == 200) return std::move(reply.body);
    const bool elsewhere = reply.status / 100 == 3;
    return fail(is_gone(reply.status) ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                format("GET {}/{}: answers {}", name_, path, reply.status),
                elsewhere ? "redirects are not followed: name the place that it leads to" : "");
  }

  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    const std::string path = "body/" + ledger::to_text(id);
    auto parsed = ledger::parse_body_json(LOAM_TRY(read(path, ledger::kBodyJsonBytesMax)));
    if (!parsed)
      return fail(parsed.error().code, format("{}/{}: {}", name_, path, parsed.error().message));
    return parsed;
  }

  std::string name() const override { return name_; }

 private:
  const std::string url_;
  std::string name_;  // for messages
  const std::function<bool()> should_stop_;
};

}  // namespace

// 410: retracted, 451: not served; and file stores answer 403 for what is not there.
bool is_gone(int status) {
  return status == 403 || status == 404 || status == 410 || status == 451;
}

Result<std::unique_ptr<ledger::LogSource>> open_http_log(std::string url,
                                                         std::function<bool()> should_stop) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(ErrorCode::kInvalidArgument,
                format("a log's URL, {}: not http or https", http::shown_url(url)),
                "for example https://example.org/log");
  while (url.ends_with('/')) url.pop_back();
  return std::make_unique<HttpLogSource>(std::move(url), std::move(should_stop));
}

}  // namespace loam::commons
