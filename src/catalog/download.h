// Getting all bytes of one URL into a Partial, whatever the server does. Inside this module only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/partial.h"
#include "catalog/pull.h"
#include "catalog/pull_meter.h"
#include "http/client.h"

namespace loam::catalog {

/// One thread uses it; run() may be called again after Partial::restart().
class Download {
 public:
  /// `expected_bytes`: what another source says of the size; 0: nothing. All references must
  /// outlive this. `shown` names the file in messages.
  Download(Partial& partial, PullMeter& meter, const PullOptions& options, std::string url,
           std::string shown, std::uint64_t expected_bytes)
      : partial_(partial),
        meter_(meter),
        options_(options),
        url_(std::move(url)),
        shown_(std::move(shown)),
        expected_bytes_(expected_bytes) {}

  /// Returns once the server has sent all it announced. Whether that is the right file, only its
  /// hash says. Errors as pull(), which see.
  Result<> run();

  /// Whether the bytes came in more than one piece, so that they may be of different files.
  bool is_joined() const { return joined_; }

 private:
  enum class Outcome { kComplete, kTryAgain };
  Result<Outcome> attempt();
  http::ClientRequest request() const;

  // What the callbacks of one attempt do: false ends the transfer.
  bool on_head(const http::ReplyHead& head);
  bool on_data(std::string_view data);
  bool take_whole(const http::ReplyHead& head);
  bool take_rest(const http::ReplyHead& head);
  bool take_no_range(const http::ReplyHead& head);
  bool expect(const std::string& etag, std::uint64_t total);
  bool start_over(std::string why);
  bool refuse(Error error);

  Result<> check_announced(std::uint64_t total) const;
  Result<> check_room(std::uint64_t more) const;
  Result<> check_content();

  Partial& partial_;
  PullMeter& meter_;
  const PullOptions& options_;
  const std::string url_;
  const std::string shown_;
  const std::uint64_t expected_bytes_;

  bool joined_ = false;
  bool magic_seen_ = false;
  std::uint64_t next_check_ = 0;  // bytes at which room and content are looked at again

  // Of one attempt.
  std::optional<Error> refusal_;  // final
  std::string problem_;           // why it has to be tried again
  bool complete_ = false;
};

}  // namespace loam::catalog
