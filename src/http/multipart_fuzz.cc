// Forms as strangers send them. The first line is the Content-Type, the rest the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/utf8.h"
#include "http/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace loam;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view body = text.substr(std::min(end + 1, text.size()));
  const auto parts = http::parse_multipart(text.substr(0, end), body);
  if (!parts) {
    LOAM_CHECK(!parts.error().message.empty());
    return 0;
  }
  LOAM_CHECK(parts->size() <= http::kPartsMax);
  const char* at = body.data();
  for (const http::Part& part : *parts) {
    LOAM_CHECK(!part.name.empty() && is_valid_utf8(part.name));
    LOAM_CHECK(!part.filename || is_valid_utf8(*part.filename));
    if (part.content.empty()) continue;
    LOAM_CHECK(part.content.data() > at);  // in order, and within the body
    at = part.content.data() + part.content.size();
    LOAM_CHECK(at < body.data() + body.size());
  }
  return 0;
}
