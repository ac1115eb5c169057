// Any bytes as a proof bundle: refused, or exactly what we write for what was understood; and
// checking it ends, whatever it says. The same bytes as the payload of a publication.
#include <cstdint>

#include "base/check.h"
#include "ledger/payload.h"
#include "release/proofs.h"

namespace {

namespace release = loam::release;

void check_bundle(loam::ByteView bytes) {
  const auto bundle = release::decode_proofs(bytes);
  if (!bundle) {
    LOAM_CHECK(bundle.error().code == loam::ErrorCode::kCorrupt ||
               bundle.error().code == loam::ErrorCode::kUnsupported ||
               bundle.error().code == loam::ErrorCode::kResourceExhausted);
    return;
  }
  LOAM_CHECK(encode_proofs(*bundle) == loam::Bytes(bytes.begin(), bytes.end()));
  loam::dataset::Manifest data_set;
  data_set.logs.push_back({"a log", 3, {}});
  const release::CheckedProofs checked = check_proofs(*bundle, data_set, 1);
  LOAM_CHECK(checked.records.size() <= bundle->records.size());
  LOAM_CHECK(!checked.faults.empty());  // no key is that of "a log"
}

void check_payload(loam::ByteView bytes) {
  const auto publication = loam::ledger::decode_publication(bytes);
  if (publication)
    LOAM_CHECK(encode_publication(*publication) == loam::Bytes(bytes.begin(), bytes.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_bundle({data, size});
  check_payload({data, size});
  return 0;
}
