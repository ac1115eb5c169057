// Any text as the manifest of a publication: refused, or exactly what we write for what was
// understood.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "release/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace release = loam::release;
  const std::string_view text = loam::as_text({data, size});
  const auto manifest = release::parse_manifest(text);
  if (!manifest) {
    LOAM_CHECK(manifest.error().code == loam::ErrorCode::kCorrupt ||
               manifest.error().code == loam::ErrorCode::kUnsupported);
    return 0;
  }
  LOAM_CHECK(manifest_text(*manifest) == text);
  // What a record names of it can be read back.
  const loam::Bytes payload = encode_publication(publication_of(*manifest, {}));
  LOAM_CHECK(loam::ledger::decode_publication(payload).has_value());
  return 0;
}
