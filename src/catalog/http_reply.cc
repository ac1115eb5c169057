#include "catalog/http_reply.h"

#include "base/format.h"
#include "base/parse.h"

namespace loam::catalog {

std::optional<std::uint64_t> parse_byte_count(std::string_view text) {
  const auto value = parse_int(text);
  if (!value || *value < 0 || text.starts_with('+')) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = trim(text);
  if (!to_lower_ascii(text.substr(0, 6)).starts_with("bytes ")) return std::nullopt;
  text = trim(text.substr(6));
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ContentRange out;
  const std::string_view size = text.substr(slash + 1);
  if (size != "*") {
    out.total = parse_byte_count(size);
    if (!out.total) return std::nullopt;
  }
  const std::string_view range = text.substr(0, slash);
  if (range == "*") return out;
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  out.first = parse_byte_count(range.substr(0, dash));
  const auto last = parse_byte_count(range.substr(dash + 1));
  if (!out.first || !last || *last < *out.first || (out.total && *last >= *out.total))
    return std::nullopt;
  return out;
}

std::string strong_etag(const http::Headers& headers) {
  const std::string* etag = headers.find("etag");
  if (etag == nullptr || etag->size() < 2 || etag->size() > 1024) return {};
  return etag->starts_with('"') && etag->ends_with('"') ? *etag : std::string();
}

std::optional<crypto::Digest> etag_digest(std::string_view etag) {
  etag = trim(etag);
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
    etag = etag.substr(1, etag.size() - 2);
  const auto digest = crypto::parse_digest(etag);
  return digest ? std::optional(*digest) : std::nullopt;
}

bool is_passing_status(int status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

Error status_error(int status, std::string_view shown) {
  if (status == 404 || status == 410)
    return {ErrorCode::kNotFound,
            format("pull {}: the server has no such file ({})", shown, status),
            "check the name, letter by letter"};
  if (status == 401 || status == 403)
    return {ErrorCode::kPermissionDenied,
            format("pull {}: the server gives it to some users only ({})", shown, status),
            "the model may be gated: accept its terms on its page, download the file there, then "
            "loam pull FILE"};
  return {ErrorCode::kUnavailable,
          format("pull {}: the server answered with status {}", shown, status),
          "try again later; what has come is kept"};
}

}  // namespace loam::catalog
