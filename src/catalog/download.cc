#include "catalog/download.h"

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/gguf.h"
#include "catalog/http_reply.h"

namespace loam::catalog {
namespace {

constexpr std::uint64_t kRoomLeft = std::uint64_t{64} << 20;  // on the disk, for everything else
constexpr std::uint64_t kCheckEvery = std::uint64_t{64} << 20;
constexpr std::uint64_t kSlack = std::uint64_t{1} << 20;  // behind the last weight; real files: 0
constexpr std::string_view kMagic = "GGUF";

}  // namespace

Result<> Download::run() {
  std::uint64_t farthest = partial_.bytes();
  magic_seen_ = false;
  for (int failures = 0;;) {
    if (LOAM_TRY(attempt()) == Outcome::kComplete) return {};
    // Starting over is no progress until it gets farther than any try before.
    failures = partial_.bytes() > farthest ? 0 : failures + 1;
    farthest = std::max(farthest, partial_.bytes());
    if (failures >= options_.attempts_max)
      return fail(ErrorCode::kUnavailable,
                  format("pull {}: given up after {} tries without progress: {}", shown_, failures,
                         problem_),
                  "run the same pull again to continue where it stopped");
    wait_before_retry(failures, options_.retry_wait_ms, meter_);
  }
}

http::ClientRequest Download::request() const {
  http::ClientRequest request;
  request.url = url_;
  request.headers.add("accept-encoding", "identity");
  if (partial_.bytes() > 0) {
    request.headers.add("range", format("bytes={}-", partial_.bytes()));
    if (!partial_.etag().empty()) request.headers.add("if-range", partial_.etag());
  }
  return request;
}

Result<Download::Outcome> Download::attempt() {
  refusal_.reset();
  problem_.clear();
  complete_ = partial_.total() > 0 && partial_.bytes() == partial_.total();
  if (complete_) return Outcome::kComplete;
  if (partial_.total() > 0 && partial_.bytes() > partial_.total()) LOAM_TRY(partial_.restart());
  next_check_ = partial_.bytes() + kCheckEvery;

  http::ClientCallbacks callbacks;
  callbacks.on_head = [this](const http::ReplyHead& head) { return on_head(head); };
  callbacks.on_data = [this](std::string_view data) { return on_data(data); };
  callbacks.should_stop = [this] { return !meter_.tick(); };
  const auto head = http::fetch_stream(request(), callbacks);
  if (meter_.stopped())
    return fail(ErrorCode::kCancelled,
                format("pull {}: stopped; {} are kept", shown_, human_bytes(partial_.bytes())),
                "run the same pull again to continue");
  if (refusal_) return std::unexpected(*refusal_);
  if (complete_) return Outcome::kComplete;
  if (!problem_.empty()) return Outcome::kTryAgain;
  if (!head) {
    const ErrorCode code = head.error().code;
    if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnsupported)
      return std::unexpected(head.error());
    problem_ = head.error().message;
    return Outcome::kTryAgain;
  }
  if (partial_.total() == 0 || partial_.bytes() == partial_.total()) return Outcome::kComplete;
  problem_ = format("the server ended after {} of {} bytes", partial_.bytes(), partial_.total());
  return Outcome::kTryAgain;
}

bool Download::refuse(Error error) {
  refusal_ = std::move(error);
  return false;
}

bool Download::start_over(std::string why) {
  problem_ = std::move(why);
  joined_ = false;
  if (const auto done = partial_.restart(); !done) return refuse(done.error());
  return false;
}

bool Download::on_head(const http::ReplyHead& head) {
  switch (head.status) {
    case 200: return take_whole(head);
    case 206: return take_rest(head);
    case 416: return take_no_range(head);
    default: break;
  }
  Error error = status_error(head.status, shown_);
  if (!is_passing_status(head.status)) return refuse(std::move(error));
  problem_ = error.message;
  return false;
}

/// The whole file: at the first try, if the server knows no ranges, or if the file changed.
bool Download::take_whole(const http::ReplyHead& head) {
  if (partial_.bytes() > 0)
    if (const auto done = partial_.restart(); !done) return refuse(done.error());
  joined_ = false;
  magic_seen_ = false;
  next_check_ = kCheckEvery;
  std::uint64_t total = 0;
  if (const std::string* length = head.headers.find("content-length")) {
    const auto announced = parse_byte_count(*length);
    if (!announced)
      return refuse({ErrorCode::kUnavailable,
                     format("pull {}: the server announces an impossible length", shown_)});
    total = *announced;
  }
  return expect(strong_etag(head.headers), total);
}

/// The rest, if it is that of the same file.
bool Download::take_rest(const http::ReplyHead& head) {
  const std::string* field = head.headers.find("content-range");
  const auto range = field != nullptr ? parse_content_range(*field) : std::nullopt;
  if (!range || range->first != partial_.bytes())
    return start_over("the server sent another part than was asked for");
  const std::string etag = strong_etag(head.headers);
  const bool other_etag = !etag.empty() && !partial_.etag().empty() && etag != partial_.etag();
  const bool other_size = range->total && partial_.total() > 0 && *range->total != partial_.total();
  if (other_etag || other_size) return start_over("the file on the server changed meanwhile");
  joined_ = joined_ || partial_.bytes() > 0;
  return expect(partial_.etag(), range->total.value_or(partial_.total()));
}

/// There is nothing behind what we have: it is complete, or of another file.
bool Download::take_no_range(const http::ReplyHead& head) {
  const std::string* field = head.headers.find("content-range");
  const auto range = field != nullptr ? parse_content_range(*field) : std::nullopt;
  complete_ = partial_.bytes() > 0 && range && range->total == partial_.bytes();
  if (complete_) return false;
  return start_over("the server has no such part of the file");
}

bool Download::expect(const std::string& etag, std::uint64_t total) {
  if (const auto done = check_announced(total); !done) return refuse(done.error());
  if (const auto done = partial_.describe(etag, total); !done) return refuse(done.error());
  return meter_.update(PullPhase::kDownloading, partial_.bytes(), total);
}

Result<> Download::check_announced(std::uint64_t total) const {
  if (total > options_.bytes_max)
    return fail(ErrorCode::kResourceExhausted,
                format("pull {}: it has {}, and {} is the most that is taken", shown_,
                       human_bytes(total), human_bytes(options_.bytes_max)));
  if (expected_bytes_ > 0 && total > 0 && total != expected_bytes_)
    return fail(ErrorCode::kCorrupt,
                format("pull {}: the hub says that it has {} bytes, the server behind it says {}",
                       shown_, expected_bytes_, total),
                "try again later; if it stays so, tell the hub");
  return total > partial_.bytes() ? check_room(total - partial_.bytes()) : Result<>();
}

Result<> Download::check_room(std::uint64_t more) const {
  const std::uint64_t room = LOAM_TRY(env::free_bytes(options_.partial_folder));
  if (room >= kRoomLeft && more <= room - kRoomLeft) return {};
  return fail(ErrorCode::kResourceExhausted,
              format("pull {}: {} more are needed on the disk of {}, and {} are free", shown_,
                     human_bytes(more), options_.partial_folder.string(), human_bytes(room)),
              "free some disk space, then run the same pull again to continue");
}

bool Download::on_data(std::string_view data) {
  const std::uint64_t limit = partial_.total() > 0 ? partial_.total() : options_.bytes_max;
  if (data.size() > limit - std::min(limit, partial_.bytes()))
    return refuse(
        {ErrorCode::kCorrupt,
         format("pull {}: the server sends more than {} bytes, which is what it announced "
                "or the most that is taken",
                shown_, limit),
         "the source is not to be trusted: take another"});
  if (const auto done = partial_.append(data); !done)
    return refuse({done.error().code, format("pull {}: {}", shown_, done.error().message),
                   "see to the disk, then run the same pull again to continue"});
  if (const auto done = check_content(); !done) return refuse(done.error());
  return meter_.update(PullPhase::kDownloading, partial_.bytes(), partial_.total());
}

/// Ends early what can be no model: a web page, or a body without end.
Result<> Download::check_content() {
  if (!magic_seen_ && partial_.bytes() >= kMagic.size()) {
    magic_seen_ = LOAM_TRY(partial_.head(kMagic.size())) == kMagic;
    if (!magic_seen_)
      return fail(ErrorCode::kCorrupt, format("pull {}: what comes is not a GGUF file", shown_),
                  "the URL may lead to a page about the file instead of the file");
  }
  if (partial_.bytes() < next_check_) return {};
  next_check_ = partial_.bytes() + kCheckEvery;
  LOAM_TRY(check_room(0));
  if (partial_.total() > 0) return {};
  const env::Fd file = LOAM_TRY(env::open_read(partial_.path()));
  const auto needed = gguf_bytes_needed(file, partial_.path());
  if (!needed || partial_.bytes() <= *needed || partial_.bytes() - *needed <= kSlack) return {};
  return fail(ErrorCode::kCorrupt,
              format("pull {}: more comes than the model in it has ({} bytes)", shown_, *needed),
              "the source is not to be trusted: take another");
}

}  // namespace loam::catalog
