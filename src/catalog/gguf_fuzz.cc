// Any bytes: the reader refuses them or yields facts that its own limits allow.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/utf8.h"
#include "catalog/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = loam::catalog::read_gguf(loam::ByteView(data, size));
  if (!facts) {
    LOAM_CHECK(!facts.error().message.empty());
    return 0;
  }
  LOAM_CHECK(!facts->architecture.empty());
  for (const auto* text : {&facts->display_name, &facts->licence, &facts->chat_template})
    LOAM_CHECK(loam::is_valid_utf8(*text));
  return 0;
}
