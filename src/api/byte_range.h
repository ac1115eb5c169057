// Which bytes of a file a request asks for. Pure. @source RFC 9110 section 14.
#pragma once

#include <cstdint>
#include <string_view>

namespace loam::api {

struct ByteRange {
  int status = 200;  // the whole; 206: a part; 416: none of what was asked for is there
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// `range`: the header's value, such as "bytes=0-99" or "bytes=-100"; `total`: bytes of the file.
/// What is not one range of bytes asks for nothing, and the whole is sent: RFC 9110 section 14.2.
ByteRange select_bytes(std::string_view range, std::uint64_t total);

}  // namespace loam::api
