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
      : url_(std::move(url)), should_stop_(std::move(should_stop)) {}

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    http::ClientRequest request;
    request.url = format("{}/{}", url_, path);
    request.stall_timeout_ms = kStallTime_ms;
    request.total_timeout_ms = kRequestTime_ms;
    std::string body;
    bool too_large = false;
    http::ClientCallbacks callbacks;
    callbacks.on_data = [&](std::string_view data) {
      too_large = data.size() > bytes_max - body.size();
      if (!too_large) body.append(data);
      return !too_large;
    };
    callbacks.should_stop = should_stop_;
    const auto head = http::fetch_stream(request, callbacks);
    if (too_large)
      return fail(ErrorCode::kResourceExhausted,
                  format("GET {}: the answer is larger than {} bytes", request.url, bytes_max));
    if (!head) return std::unexpected(head.error());
    // 410: retracted, 451: not served; to a reader both mean that there is nothing.
    if (head->status == 404 || head->status == 410 || head->status == 451)
      return fail(ErrorCode::kNotFound, format("GET {}: answers {}", request.url, head->status));
    if (head->status != 200)
      return fail(ErrorCode::kUnavailable, format("GET {}: answers {}", request.url, head->status));
    return body;
  }

  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    const std::string path = "body/" + ledger::to_text(id);
    auto parsed = ledger::parse_body_json(LOAM_TRY(read(path, ledger::kBodyJsonBytesMax)));
    if (!parsed)
      return fail(parsed.error().code, format("{}/{}: {}", url_, path, parsed.error().message));
    return parsed;
  }

  std::string name() const override { return url_; }

 private:
  std::string url_;
  std::function<bool()> should_stop_;
};

}  // namespace

Result<std::unique_ptr<ledger::LogSource>> open_http_log(std::string url,
                                                         std::function<bool()> should_stop) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(ErrorCode::kInvalidArgument, format("a log's URL, \"{}\": not http or https", url),
                "for example https://example.org/log");
  while (url.ends_with('/')) url.pop_back();
  return std::make_unique<HttpLogSource>(std::move(url), std::move(should_stop));
}

}  // namespace loam::commons
