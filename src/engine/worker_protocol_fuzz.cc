// Any bytes, as what a worker says and as what a node says: refused, or a message whose own bytes
// are exactly these.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "engine/protocol.h"

namespace {

template <class Message>
void check(const loam::Result<Message>& message, loam::ByteView bytes) {
  if (!message) {
    LOAM_CHECK(message.error().code == loam::ErrorCode::kCorrupt);
    LOAM_CHECK(!message.error().message.empty());
    return;
  }
  LOAM_CHECK(std::ranges::equal(loam::engine::protocol::encode(*message), bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const loam::ByteView bytes(data, size);
  check(loam::engine::protocol::parse_from_worker(bytes), bytes);
  check(loam::engine::protocol::parse_to_worker(bytes), bytes);
  return 0;
}
