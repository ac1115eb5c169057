// The bytes of one connection, as they come, cut into requests. Pure: knows no socket and no time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/request_head.h"
#include "http/server.h"

namespace loam::http {

class RequestReader {
 public:
  enum class Progress {
    kIdle,      // nothing of the next request yet
    kHead,      // part of a head
    kBody,      // the head is whole, part of the body is missing
    kComplete,  // take() it
    kRefused,   // the connection has no further use; refusal() says why
  };

  /// `limits` must outlive this.
  explicit RequestReader(const Limits& limits) : limits_(limits) {}

  /// Takes all of `bytes`. Those behind a complete request wait for take().
  void feed(std::string_view bytes);
  Progress progress() const { return progress_; }

  /// In kBody and kComplete.
  const RequestHead& head() const { return head_; }
  /// In kRefused.
  const Refusal& refusal() const { return refusal_; }
  /// In kComplete: the request. Goes on with the bytes behind it.
  Request take();

  /// Memory held for what was fed and not taken.
  std::size_t buffered_bytes() const { return buffer_.size() + head_.request.body.size(); }

 private:
  enum class Part { kLength, kChunkSize, kChunkData, kChunkEnd, kTrailer };

  void advance();
  bool read_head();
  void begin_body();
  bool read_body();
  bool read_chunk_size();
  bool read_trailer();
  bool take_data();
  /// The bytes up to CRLF, which is consumed too; empty if there is none yet. Refuses with
  /// `status` a line longer than `bytes_max`, and a bare LF.
  std::optional<std::string_view> take_line(std::size_t bytes_max, int status);
  bool refuse(int status, std::string message);
  std::string_view rest() const { return std::string_view(buffer_).substr(used_); }

  const Limits& limits_;
  std::string buffer_;
  std::size_t used_ = 0;     // of buffer_, while advancing
  std::size_t scanned_ = 0;  // of buffer_: no end of head in there
  Progress progress_ = Progress::kIdle;
  RequestHead head_;
  Refusal refusal_;
  Part part_ = Part::kLength;
  std::uint64_t missing_ = 0;  // bytes of the body, or of the chunk
  std::size_t trailer_bytes_ = 0;
};

}  // namespace loam::http
