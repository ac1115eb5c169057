// Any bytes as the GGUF file of an adapter: refused, or pairs that fit tensors of the model, whose
// numbers were all read.
#include <cstddef>
#include <cstdint>
#include <set>

#include "base/check.h"
#include "catalog/adapter_fit.h"
#include "catalog/finite.h"
#include "catalog/testing/gguf_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace catalog = loam::catalog;
  static const std::string model = catalog::testing::small_model().bytes();
  static const auto base = catalog::read_gguf_header(loam::as_bytes(model));
  LOAM_CHECK(base.has_value());
  const loam::ByteView bytes(data, size);
  const auto header = catalog::read_gguf_header(bytes);
  const auto finite = catalog::check_finite(bytes);
  if (!header) {
    LOAM_CHECK(!finite.has_value());
    return 0;
  }
  if (!finite)
    LOAM_CHECK(finite.error().code == loam::ErrorCode::kCorrupt ||
               finite.error().code == loam::ErrorCode::kUnsupported);
  if (!catalog::check_adapter(*base, *header)) return 0;
  std::set<std::string> targets;
  for (const auto& tensor : base->tensors) targets.insert(tensor.name);
  LOAM_CHECK(!header->tensors.empty());
  for (const auto& tensor : header->tensors) {
    LOAM_CHECK(tensor.sizes.size() == 2);
    LOAM_CHECK(targets.contains(tensor.name.substr(0, tensor.name.rfind('.'))));
  }
  return 0;
}
