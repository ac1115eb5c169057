#include "catalog/hub.h"

#include "base/format.h"
#include "catalog/http_reply.h"
#include "http/client.h"

namespace loam::catalog {
namespace {

constexpr int kRenamesMax = 3;

/// "https://host:port" of a URL.
std::string_view origin_of(std::string_view url) {
  const std::size_t host = url.find("://") + 3;
  return url.substr(0, url.find('/', host));
}

/// Where a redirect leads, if that is still the hub.
std::optional<std::string> renamed(const std::string& url, const http::Headers& headers) {
  const std::string* location = headers.find("location");
  if (location == nullptr) return std::nullopt;
  if (location->starts_with('/') && !location->starts_with("//"))
    return std::string(origin_of(url)) + *location;
  if (location->starts_with(std::string(origin_of(url)) + "/")) return *location;
  return std::nullopt;
}

}  // namespace

Result<HubFile> ask_hub(const Source& source, const std::function<bool()>& should_stop) {
  HubFile file;
  file.url = source.url;
  for (int renames = 0;; ++renames) {
    http::ClientRequest request;
    request.method = http::Method::kHead;
    request.url = file.url;
    request.headers.add("accept-encoding", "identity");
    request.redirects_max = 0;
    http::ClientCallbacks callbacks;
    callbacks.should_stop = should_stop;
    const http::ReplyHead head = LOAM_TRY(http::fetch_stream(request, callbacks));
    if (head.status < 200 || head.status >= 400)
      return std::unexpected(status_error(head.status, source.shown));
    if (const std::string* etag = head.headers.find("x-linked-etag"))
      file.sha256 = etag_digest(*etag);
    if (const std::string* size = head.headers.find("x-linked-size"))
      file.bytes = parse_byte_count(*size).value_or(0);
    if (file.sha256) return file;
    const auto target = head.status >= 300 ? renamed(file.url, head.headers) : std::nullopt;
    if (target && renames < kRenamesMax) {
      file.url = *target;
      continue;
    }
    if (const std::string* etag = head.headers.find("etag")) file.sha256 = etag_digest(*etag);
    return file;
  }
}

}  // namespace loam::catalog
