// Any bytes: the reader refuses them or yields facts that its own limits allow, and tensors that
// lie within the bytes.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/utf8.h"
#include "catalog/gguf.h"

namespace {

void check_header(loam::ByteView bytes, bool has_facts) {
  const auto header = loam::catalog::read_gguf_header(bytes);
  if (!header) {
    LOAM_CHECK(!header.error().message.empty());
    return;
  }
  LOAM_CHECK(has_facts);
  for (const auto& [key, text] : header->texts) LOAM_CHECK(loam::is_valid_utf8(text));
  std::uint64_t bytes_of_all = 0;
  for (const auto& tensor : header->tensors) {
    LOAM_CHECK(tensor.bytes > 0 && tensor.bytes <= bytes.size());
    LOAM_CHECK(tensor.offset <= bytes.size() - tensor.bytes);
    bytes_of_all += tensor.bytes;
  }
  LOAM_CHECK(bytes_of_all <= bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const loam::ByteView bytes(data, size);
  const auto facts = loam::catalog::read_gguf(bytes);
  check_header(bytes, facts.has_value());
  if (!facts) {
    LOAM_CHECK(!facts.error().message.empty());
    return 0;
  }
  LOAM_CHECK(!facts->architecture.empty());
  for (const auto* text : {&facts->display_name, &facts->licence, &facts->chat_template})
    LOAM_CHECK(loam::is_valid_utf8(*text));
  return 0;
}
