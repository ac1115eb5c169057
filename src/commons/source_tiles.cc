#include "commons/source_tiles.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/format.h"
#include "ledger/tiles.h"

namespace loam::commons {
namespace {

using ledger::kTileWidth;
constexpr unsigned kTileHeight = 8;  // levels of the tree in one tile
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kTilesKept = 1024;  // chosen: 8 MiB

using Tile = std::vector<crypto::Digest>;

Result<Tile> read_tile(ledger::LogSource& source, int level, std::uint64_t index,
                       std::uint64_t width) {
  std::string path = ledger::tile_path(level, index, width);
  auto content = source.read(path, kTileWidth * kHashBytes);
  if (!content && content.error().code == ErrorCode::kNotFound && width < kTileWidth) {
    path = ledger::tile_path(level, index);
    content = source.read(path, kTileWidth * kHashBytes);
  }
  const std::string bytes = LOAM_TRY(std::move(content));
  if (bytes.size() % kHashBytes != 0 || bytes.size() < width * kHashBytes)
    return fail(ErrorCode::kCorrupt, format("{}/{}: has {} bytes, and {} hashes should be in it",
                                            source.name(), path, bytes.size(), width));
  Tile out(width);
  for (std::size_t i = 0; i < width; ++i)
    std::copy_n(as_bytes(bytes).begin() + static_cast<std::ptrdiff_t>(i * kHashBytes), kHashBytes,
                out[i].begin());
  return out;
}

}  // namespace

crypto::NodeReader source_tiles(ledger::LogSource& source, std::uint64_t size) {
  // Shared by the copies of the function.
  const auto kept = std::make_shared<std::map<std::pair<int, std::uint64_t>, Tile>>();
  return [&source, size, kept](crypto::NodeId node) -> Result<crypto::Digest> {
    const unsigned level = node.level / kTileHeight;
    const unsigned height = node.level % kTileHeight;
    const std::uint64_t first = node.index << height;  // of the tile's hashes below the node
    const std::uint64_t index = first / kTileWidth;
    const std::uint64_t hashes = size >> (kTileHeight * level);  // at this level
    const std::uint64_t width = std::min(kTileWidth, hashes - std::min(hashes, index * kTileWidth));
    const std::uint64_t from = first % kTileWidth, count = std::uint64_t{1} << height;
    if (from + count > width)
      return fail(ErrorCode::kInvalidArgument, "log: this part of the tree is not complete yet");
    const std::pair key(static_cast<int>(level), index);
    auto found = kept->find(key);
    if (found == kept->end()) {
      Tile tile = LOAM_TRY(read_tile(source, key.first, index, width));
      if (kept->size() >= kTilesKept) kept->clear();
      found = kept->emplace(key, std::move(tile)).first;
    }
    return crypto::merkle_root(std::span(found->second).subspan(from, count));
  };
}

}  // namespace loam::commons
