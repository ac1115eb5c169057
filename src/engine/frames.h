// Frames on a stream socket: u32 little-endian length, then that many bytes. Never blocks.
// A descriptor may travel with one frame. The socket is borrowed and must be non-blocking.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"

namespace loam::engine {

/// A connected pair of stream sockets, both close-on-exec and non-blocking.
struct SocketPair {
  env::Fd ours, theirs;
};
/// @error ResourceExhausted / Unavailable  no descriptors left.
Result<SocketPair> make_socket_pair();

/// @error Unavailable  the kernel refuses.
Result<> set_non_blocking(int fd);

/// Keeps what the socket does not take yet; how much may be kept is for the caller to bound.
class FrameWriter {
 public:
  explicit FrameWriter(int socket) : socket_(socket) {}

  /// Adds a frame; `attachment` travels with its first byte. `payload` is at most
  /// protocol::kFrameBytesMax.
  void put(ByteView payload, env::Fd attachment = {});
  /// Sends as much as the socket takes. @error Unavailable  the other side is gone.
  Result<> flush();
  /// Bytes not sent yet.
  std::size_t waiting() const { return buffer_.size() - sent_; }

 private:
  Result<std::size_t> send_some(std::size_t bytes_max, bool with_attachment);

  int socket_;
  Bytes buffer_;
  std::size_t sent_ = 0;  // of buffer_
  struct Attachment {
    env::Fd file;
    std::size_t at;  // index in buffer_ of the byte that it goes with
  };
  std::deque<Attachment> attachments_;
};

enum class Descriptors { kAccept, kRefuse };

/// Collects what comes in and cuts it into frames.
class FrameReader {
 public:
  FrameReader(int socket, std::size_t frame_bytes_max, Descriptors descriptors)
      : socket_(socket), frame_bytes_max_(frame_bytes_max), descriptors_(descriptors) {}

  enum class Filled { kMore, kEmpty, kClosed };
  /// One read from the socket. kMore: something came; kEmpty: nothing there now; kClosed: the
  /// other side is gone, frames that came before are still handed out.
  /// @error Corrupt  more than one descriptor came.
  Result<Filled> fill();

  /// The next whole frame, valid until the next call of fill(). Empty: not here yet.
  /// @error Corrupt  a frame larger than allowed is announced.
  Result<std::optional<ByteView>> next();

  /// The descriptor that came with a frame, if any; the caller owns it from now on.
  env::Fd take_attachment() { return std::move(attachment_); }

 private:
  Result<> keep_descriptors(void* header);

  int socket_;
  std::size_t frame_bytes_max_;
  Descriptors descriptors_;
  Bytes piece_;  // what one read may fill
  Bytes buffer_;
  std::size_t begin_ = 0;  // of what is not handed out yet
  env::Fd attachment_;
};

}  // namespace loam::engine
