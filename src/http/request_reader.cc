#include "http/request_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/format.h"

namespace loam::http {
namespace {

constexpr std::size_t kChunkLineBytesMax = 256;  // chosen; sizes take 16, extensions are not used

std::optional<std::uint64_t> parse_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find_first_of("; \t"));
  if (digits.empty() || digits.size() > 15) return std::nullopt;
  std::uint64_t size = 0;
  for (const char c : digits) {
    const bool decimal = c >= '0' && c <= '9';
    const char small = static_cast<char>(c | 0x20);
    if (!decimal && (small < 'a' || small > 'f')) return std::nullopt;
    size = size * 16 + static_cast<std::uint64_t>(decimal ? c - '0' : small - 'a' + 10);
  }
  return size;
}

}  // namespace

void RequestReader::feed(std::string_view bytes) {
  if (progress_ == Progress::kRefused) return;
  buffer_.append(bytes);
  advance();
}

Request RequestReader::take() {
  LOAM_CHECK(progress_ == Progress::kComplete);
  Request request = std::move(head_.request);
  head_ = RequestHead{};
  progress_ = Progress::kIdle;
  advance();
  return request;
}

void RequestReader::advance() {
  bool again = true;
  while (again) {
    switch (progress_) {
      case Progress::kIdle:
      case Progress::kHead: again = read_head(); break;
      case Progress::kBody: again = read_body(); break;
      case Progress::kComplete:
      case Progress::kRefused: again = false; break;
    }
  }
  if (used_ == 0) return;
  buffer_.erase(0, used_);
  if (buffer_.empty()) buffer_.shrink_to_fit();
  scanned_ = 0;
  used_ = 0;
}

bool RequestReader::read_head() {
  // Some clients send an empty line after a body. @source RFC 9112 section 2.2.
  if (progress_ == Progress::kIdle)
    while (rest().starts_with("\r\n")) used_ += 2;
  if (rest().empty() || rest() == "\r") return false;
  progress_ = Progress::kHead;
  // Three bytes of the terminator may have come before.
  const std::size_t from = std::max(used_, scanned_ < 3 ? 0 : scanned_ - 3);
  const std::size_t end = buffer_.find("\r\n\r\n", from);
  const std::size_t head_bytes =
      end == std::string::npos ? buffer_.size() - used_ : end + 4 - used_;
  if (head_bytes > limits_.head_bytes_max)
    return refuse(431, format("the request line and headers are longer than {} bytes",
                              limits_.head_bytes_max));
  if (end == std::string::npos) {
    // Such a client would wait for an answer until the time-out.
    if (buffer_.find("\n\n", from) != std::string::npos)
      return refuse(400, "lines of the request head end in bare LF");
    scanned_ = buffer_.size();
    return false;
  }
  auto head = parse_request_head(rest().substr(0, head_bytes));
  used_ += head_bytes;
  if (!head) {
    const auto [status, message] = std::move(head).error();
    return refuse(status, message);
  }
  head_ = *std::move(head);
  begin_body();
  return true;
}

void RequestReader::begin_body() {
  if (head_.content_length > limits_.body_bytes_max) {
    refuse(413, format("the request body is longer than {} bytes", limits_.body_bytes_max));
    return;
  }
  missing_ = head_.content_length;
  trailer_bytes_ = 0;
  part_ = head_.chunked ? Part::kChunkSize : Part::kLength;
  const bool has_body = head_.chunked || head_.content_length > 0;
  progress_ = has_body ? Progress::kBody : Progress::kComplete;
}

bool RequestReader::take_data() {
  const std::string_view data =
      rest().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(missing_, rest().size())));
  head_.request.body.append(data);
  used_ += data.size();
  missing_ -= data.size();
  return missing_ == 0;
}

bool RequestReader::read_body() {
  switch (part_) {
    case Part::kLength:
      if (!take_data()) return false;
      progress_ = Progress::kComplete;
      return true;
    case Part::kChunkSize: return read_chunk_size();
    case Part::kChunkData:
      if (!take_data()) return false;
      part_ = Part::kChunkEnd;
      return true;
    case Part::kChunkEnd: {
      const auto line = take_line(0, 400);
      if (!line) return false;
      part_ = Part::kChunkSize;
      return true;
    }
    case Part::kTrailer: return read_trailer();
  }
  return false;
}

bool RequestReader::read_chunk_size() {
  const auto line = take_line(kChunkLineBytesMax, 400);
  if (!line) return false;
  const auto size = parse_chunk_size(*line);
  if (!size) return refuse(400, "a chunk size is not a hexadecimal number");
  if (*size > limits_.body_bytes_max - head_.request.body.size())
    return refuse(413, format("the request body is longer than {} bytes", limits_.body_bytes_max));
  missing_ = *size;
  part_ = *size == 0 ? Part::kTrailer : Part::kChunkData;
  return true;
}

bool RequestReader::read_trailer() {
  // Trailer fields are of no use to us: they are read past.
  const auto line = take_line(limits_.head_bytes_max, 431);
  if (!line) return false;
  trailer_bytes_ += line->size() + 2;
  if (trailer_bytes_ > limits_.head_bytes_max) return refuse(431, "the trailer is too long");
  if (line->empty()) progress_ = Progress::kComplete;
  return true;
}

std::optional<std::string_view> RequestReader::take_line(std::size_t bytes_max, int status) {
  const std::size_t end = rest().find('\n');
  const bool found = end != std::string_view::npos;
  if ((found ? end : rest().size()) > bytes_max + 1) {
    refuse(status, "a line of the chunked request body is too long");
    return std::nullopt;
  }
  if (!found) return std::nullopt;
  const std::string_view line = rest().substr(0, end);
  if (line.empty() || line.find('\r') != line.size() - 1) {
    refuse(400, "a line of the chunked request body does not end in CR LF");
    return std::nullopt;
  }
  used_ += end + 1;
  return line.substr(0, end - 1);
}

bool RequestReader::refuse(int status, std::string message) {
  progress_ = Progress::kRefused;
  refusal_ = {status, std::move(message)};
  head_ = RequestHead{};
  buffer_.clear();
  used_ = 0;
  return false;
}

}  // namespace loam::http
