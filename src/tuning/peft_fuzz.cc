// Any bytes as the two files of a PEFT folder, a NUL between them: refused, or an adapter that is
// written and read back the same. And compared with an adapter, of which they are the other form if
// they say so.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "train/adapter_gguf.h"
#include "train/testing/toy_model.h"
#include "tuning/peft.h"
#include "tuning/peft_match.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tuning = loam::tuning;
  static const loam::train::Shape shape = loam::train::testing::toy_shape();
  const loam::ByteView bytes(data, size);
  const auto end = static_cast<std::size_t>(std::ranges::find(bytes, 0) - bytes.begin());
  const std::string_view config = loam::as_text(bytes.first(end));
  const loam::ByteView tensors = bytes.subspan(std::min(size, end + 1));
  static const loam::Bytes gguf =
      loam::train::encode_adapter(loam::train::testing::toy_adapter(shape),
                                  {.architecture = "llama", .name = "toy", .lineage = {}});
  static const auto header = loam::catalog::read_gguf_header(gguf).value();
  const bool is_same = tuning::check_peft_config(config, header).has_value() &&
                       tuning::check_peft_tensors(tensors, gguf, header).has_value();
  const auto adapter = tuning::decode_peft(config, tensors, shape, "llama");
  LOAM_CHECK(!is_same || adapter.has_value());
  if (!adapter) {
    LOAM_CHECK(!adapter.error().message.empty());
    return 0;
  }
  const tuning::PeftFiles files = tuning::encode_peft(*adapter, shape, "llama", "acme/base");
  const auto again = tuning::decode_peft(files.config, files.tensors, shape, "llama");
  LOAM_CHECK(again.has_value());
  const tuning::PeftFiles same = tuning::encode_peft(*again, shape, "llama", "acme/base");
  LOAM_CHECK(same.config == files.config && same.tensors == files.tensors);
  return 0;
}
