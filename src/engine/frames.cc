#include "engine/frames.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "engine/protocol.h"

namespace loam::engine {
namespace {

constexpr std::size_t kHeadBytes = 4;
/// One read or write moves at most this much (chosen: a usual socket buffer takes about this).
constexpr std::size_t kPieceBytes = 64U << 10;
/// An emptied buffer larger than this is given back rather than kept for the next frame.
constexpr std::size_t kKeptBytes = 1U << 20;

union DescriptorSpace {
  cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int))];
};

}  // namespace

Result<SocketPair> make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
    return std::unexpected(env::system_error("make", "a socket pair", errno));
  return SocketPair{env::Fd(fds[0]), env::Fd(fds[1])};
}

Result<> set_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return std::unexpected(env::system_error("set up", "a descriptor", errno));
  return {};
}

void FrameWriter::put(ByteView payload, env::Fd attachment) {
  LOAM_CHECK(payload.size() <= protocol::kFrameBytesMax);
  if (attachment.valid()) attachments_.push_back({std::move(attachment), buffer_.size()});
  const auto size = static_cast<std::uint32_t>(payload.size());
  for (int shift = 0; shift < 32; shift += 8)
    buffer_.push_back(static_cast<std::uint8_t>(size >> shift));
  buffer_.insert(buffer_.end(), payload.begin(), payload.end());
}

Result<std::size_t> FrameWriter::send_some(std::size_t bytes_max, bool with_attachment) {
  iovec piece{buffer_.data() + sent_, bytes_max};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  DescriptorSpace space{};
  if (with_attachment) {
    header.msg_control = space.bytes;
    header.msg_controllen = sizeof space.bytes;
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = attachments_.front().file.get();
    std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
  }
  for (;;) {
    const ssize_t n = ::sendmsg(socket_, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    if (errno != EINTR)
      return std::unexpected(env::system_error("write to", "worker socket", errno));
  }
}

Result<> FrameWriter::flush() {
  while (sent_ < buffer_.size()) {
    const bool attach = !attachments_.empty() && sent_ == attachments_.front().at;
    // One piece holds one attachment at most, at its first byte.
    const std::size_t next = attach ? 1 : 0;
    std::size_t end = buffer_.size();
    if (attachments_.size() > next) end = attachments_[next].at;
    const std::size_t n = LOAM_TRY(send_some(std::min(end - sent_, kPieceBytes), attach));
    if (n == 0) break;
    if (attach) attachments_.pop_front();
    sent_ += n;
  }
  if (sent_ == buffer_.size()) {
    buffer_.clear();
    sent_ = 0;
    if (buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  } else if (sent_ > buffer_.size() / 2 && attachments_.empty()) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
  return {};
}

Result<> FrameReader::keep_descriptors(void* raw_header) {
  auto* header = static_cast<msghdr*>(raw_header);
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
    env::Fd owned(fd);
    if (attachment_.valid())
      return fail(ErrorCode::kCorrupt, "worker socket: a second descriptor came");
    attachment_ = std::move(owned);
  }
  if ((header->msg_flags & MSG_CTRUNC) != 0 && descriptors_ == Descriptors::kAccept)
    return fail(ErrorCode::kCorrupt, "worker socket: more than one descriptor came");
  return {};
}

Result<FrameReader::Filled> FrameReader::fill() {
  if (begin_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
  if (buffer_.empty() && buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
  piece_.resize(kPieceBytes);
  iovec piece{piece_.data(), piece_.size()};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  // Without room for them the kernel drops descriptors: a worker cannot fill the node's table.
  DescriptorSpace space{};
  if (descriptors_ == Descriptors::kAccept) {
    header.msg_control = space.bytes;
    header.msg_controllen = sizeof space.bytes;
  }
  ssize_t n = -1;
  do {
    n = ::recvmsg(socket_, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Filled::kEmpty;
  if (n <= 0) return Filled::kClosed;
  buffer_.insert(buffer_.end(), piece_.begin(), piece_.begin() + n);
  LOAM_TRY(keep_descriptors(&header));
  return Filled::kMore;
}

Result<std::optional<ByteView>> FrameReader::next() {
  const ByteView rest = ByteView(buffer_).subspan(begin_);
  if (rest.size() < kHeadBytes) return std::optional<ByteView>();
  std::size_t size = 0;
  for (std::size_t i = 0; i < kHeadBytes; ++i) size |= std::size_t{rest[i]} << (8 * i);
  if (size > frame_bytes_max_)
    return fail(ErrorCode::kCorrupt, "worker socket: a frame larger than allowed was announced");
  if (rest.size() - kHeadBytes < size) return std::optional<ByteView>();
  begin_ += kHeadBytes + size;
  return std::optional<ByteView>(rest.subspan(kHeadBytes, size));
}

}  // namespace loam::engine
