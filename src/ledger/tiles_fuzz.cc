// Any bytes as an entry bundle and as the path of a tile: refused, or exactly what we write for
// what was understood.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "ledger/tiles.h"

namespace {

using loam::ErrorCode;
namespace ledger = loam::ledger;

void check_bundle(loam::ByteView bytes) {
  const auto entries = ledger::decode_bundle(bytes);
  if (!entries) {
    LOAM_CHECK(entries.error().code == ErrorCode::kCorrupt);
    return;
  }
  LOAM_CHECK(entries->size() <= ledger::kTileWidth);
  LOAM_CHECK(std::ranges::equal(ledger::encode_bundle(*entries), bytes));
}

void check_path(std::string_view path) {
  const auto name = ledger::parse_tile_path(path);
  if (!name) {
    LOAM_CHECK(name.error().code == ErrorCode::kNotFound);
    return;
  }
  LOAM_CHECK(name->width > 0 && name->width <= ledger::kTileWidth);
  LOAM_CHECK(ledger::tile_path(name->level, name->index, name->width) == path);
  LOAM_CHECK(!path.contains("..") && !path.starts_with('/'));  // it becomes a file's name
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const loam::ByteView bytes(data, size);
  check_bundle(bytes);
  check_path(loam::as_text(bytes));
  return 0;
}
