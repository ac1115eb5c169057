#include "release/blobs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/format.h"
#include "commons/http_log_source.h"
#include "http/client.h"

namespace loam::release {
namespace {

constexpr std::int64_t kStallTime_ms = 20'000;
/// A file may take so long, and as long as it takes at 300 kB/s. Chosen.
constexpr std::int64_t kRequestTime_ms = 60'000;
constexpr std::uint64_t kBytesPerMs = 300;

class BlobFolder final : public BlobSource {
 public:
  explicit BlobFolder(env::Path folder) : folder_(std::move(folder)) {}
  Result<std::string> read(const crypto::Digest& digest, std::uint64_t bytes_max) override {
    const env::Path path = folder_ / crypto::digest_hex(digest);
    if (const auto stamp = env::stamp(path); stamp && stamp->size > bytes_max)
      return fail(ErrorCode::kCorrupt,
                  format("{}: larger than {} bytes", path.string(), bytes_max));
    return env::read_file(path, bytes_max);
  }
  std::string name() const override { return folder_.string(); }

 private:
  env::Path folder_;
};

class HttpBlobs final : public BlobSource {
 public:
  HttpBlobs(std::string url, std::function<bool()> should_stop)
      : url_(std::move(url)), name_(http::shown_url(url_)), should_stop_(std::move(should_stop)) {}

  Result<std::string> read(const crypto::Digest& digest, std::uint64_t bytes_max) override {
    http::ClientRequest request;
    request.url = format("{}/{}", url_, crypto::digest_hex(digest));
    request.stall_timeout_ms = kStallTime_ms;
    request.total_timeout_ms = kRequestTime_ms + static_cast<std::int64_t>(bytes_max / kBytesPerMs);
    request.redirects_max = 0;  // a server must not have this node ask others, in its own network
    request.body_bytes_max = bytes_max;
    auto fetched = http::fetch(request, should_stop_);
    if (!fetched && fetched.error().code == ErrorCode::kResourceExhausted)
      return fail(ErrorCode::kCorrupt, fetched.error().message);
    auto reply = LOAM_TRY(std::move(fetched));
    if (reply.status == 200) return std::move(reply.body);
    return fail(commons::is_gone(reply.status) ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                format("GET {}/{}: answers {}", name_, crypto::digest_hex(digest), reply.status));
  }
  std::string name() const override { return name_; }

 private:
  const std::string url_;
  const std::string name_;  // for messages
  const std::function<bool()> should_stop_;
};

class AnyBlobs final : public BlobSource {
 public:
  explicit AnyBlobs(std::vector<std::unique_ptr<BlobSource>> sources)
      : sources_(std::move(sources)) {}

  Result<std::string> read(const crypto::Digest& digest, std::uint64_t bytes_max) override {
    std::optional<Error> passing;
    std::optional<Result<std::string>> damaged;
    for (std::size_t next = 0, asked = 0; asked < sources_.size(); ++asked) {
      const auto source = sources_.begin() + static_cast<std::ptrdiff_t>(next);
      auto content = (*source)->read(digest, bytes_max);
      if (content && crypto::sha256(as_bytes(*content)) == digest) {
        // Who has one file of a publication has the others.
        std::rotate(sources_.begin(), source, source + 1);
        return content;
      }
      if (!content && content.error().code == ErrorCode::kCancelled) return content;
      if (!content && content.error().code == ErrorCode::kNotFound) {
        ++next;
        continue;
      }
      if (!content && may_pass(content.error().code)) {
        if (!passing) passing = std::move(content).error();
        // Whoever keeps others waiting is asked last from now on.
        std::rotate(source, source + 1, sources_.end());
        continue;
      }
      ++next;
      if (!damaged) damaged = std::move(content);
    }
    if (passing) return std::unexpected(*std::move(passing));
    if (damaged) return *std::move(damaged);
    return fail(ErrorCode::kNotFound, "there is no such file");
  }
  std::string name() const override {
    std::string out;
    for (const auto& source : sources_) out += (out.empty() ? "" : " or ") + source->name();
    return out;
  }

 private:
  std::vector<std::unique_ptr<BlobSource>> sources_;
};

}  // namespace

bool may_pass(ErrorCode code) {
  switch (code) {
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal: return true;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported: return false;
  }
  std::unreachable();
}

std::unique_ptr<BlobSource> any_blobs(std::vector<std::unique_ptr<BlobSource>> sources) {
  return std::make_unique<AnyBlobs>(std::move(sources));
}

Result<std::string> read_blob(BlobSource& source, const crypto::Digest& digest,
                              std::uint64_t bytes_max) {
  auto read = source.read(digest, bytes_max);
  if (!read && read.error().code == ErrorCode::kCorrupt)
    return fail(ErrorCode::kCorrupt, format("file {} from {}: {}", crypto::digest_hex(digest),
                                            source.name(), read.error().message));
  std::string content = LOAM_TRY(std::move(read));
  const crypto::Digest found = crypto::sha256(as_bytes(content));
  if (found == digest) return content;
  return fail(ErrorCode::kCorrupt,
              format("file {} from {}: it was changed, its SHA-256 is {}",
                     crypto::digest_hex(digest), source.name(), crypto::digest_hex(found)));
}

std::unique_ptr<BlobSource> open_blob_folder(env::Path folder) {
  return std::make_unique<BlobFolder>(std::move(folder));
}

Result<std::unique_ptr<BlobSource>> open_http_blobs(std::string url,
                                                    std::function<bool()> should_stop) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(ErrorCode::kInvalidArgument,
                format("a node's URL, {}: not http or https", http::shown_url(url)),
                "for example https://example.org/blob");
  while (url.ends_with('/')) url.pop_back();
  return std::make_unique<HttpBlobs>(std::move(url), std::move(should_stop));
}

}  // namespace loam::release
