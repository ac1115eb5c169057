// Any bytes as a backup of an identity: refused, or exactly what we write for what was understood.
// Sealed ones are read up to the box: their key takes too long to make for each of many inputs.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/format.h"
#include "ledger/backup.h"

namespace {

namespace ledger = loam::ledger;

void check(std::string_view text) {
  const auto backup = ledger::parse_backup(text);
  if (!backup) {
    LOAM_CHECK(!backup.error().message.empty());
    return;
  }
  LOAM_CHECK(!backup->keys.authors.empty());
  LOAM_CHECK(ledger::encode_backup(*backup) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(loam::as_text({data, size}));
  check(text);
  // The check sum keeps nearly everything out: so also with one that is right.
  const auto sum = loam::crypto::sha256(loam::as_bytes(text));
  check(loam::format("{}sum {}\n", text, loam::crypto::digest_hex(sum)));
  return 0;
}
