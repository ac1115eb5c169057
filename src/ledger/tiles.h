// The published log: static files that any mirror, witness or log client can read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "crypto/merkle.h"
#include "crypto/note.h"
#include "env/disk.h"

namespace loam::ledger {

/// Hashes in a tile, entries in a bundle. @source C2SP tlog-tiles.
inline constexpr std::uint64_t kTileWidth = 256;

/// Of a bundle's file, with the largest entries that the format allows.
inline constexpr std::uint64_t kBundleBytesMax = kTileWidth * (65'535 + 2);
/// Of a checkpoint's file.
inline constexpr std::uint64_t kNoteBytesMax = 1U << 20;

/// "tile/LEVEL/N" with N in groups of three digits, ".p/WIDTH" behind it if it is not full. The
/// level -1 stands for the entries. @source C2SP tlog-tiles.
std::string tile_path(int level, std::uint64_t index, std::uint64_t width = kTileWidth);
inline constexpr int kEntries = -1;

/// What a path under /log/ names. @error NotFound  not the one spelling of a tile's path.
struct TileName {
  int level = 0;
  std::uint64_t index = 0;
  std::uint64_t width = kTileWidth;
};
Result<TileName> parse_tile_path(std::string_view path);

/// The bytes of an entry bundle: each entry behind its length in two bytes, big-endian.
/// Entries must be at most 65,535 bytes.
Bytes encode_bundle(const std::vector<Bytes>& entries);
/// @error Corrupt  cut, or longer than its entries.
Result<std::vector<Bytes>> decode_bundle(ByteView bytes);

/// Reads nodes of the tree of `size` leaves whose tiles lie in `folder`. Each call reads a file.
/// @error Corrupt  a tile is missing or of a wrong length; names the file.
crypto::NodeReader tile_reader(env::Path folder, std::uint64_t size);

/// Writes the files of one log. Not thread-safe.
///
/// A checkpoint is written last, and only when every file that it covers is on the disk: what is
/// under a signed checkpoint can be served for ever. Files of a tree that was never signed are
/// written again.
class TileWriter {
 public:
  /// Goes on behind the checkpoint in `folder`, which must have been signed by `key`.
  /// @error Corrupt  a file under the checkpoint is missing or does not fit; names it.
  static Result<TileWriter> open(env::Path folder, crypto::VerifierKey key);

  std::uint64_t size() const { return frontier_.size(); }
  const crypto::Digest& root() const { return root_; }

  /// Appends `entries`, signs the tree that comes out, and makes it the published one. After an
  /// error nothing was published, and the writer must be opened again.
  Result<> publish(const std::vector<Bytes>& entries, const crypto::SigningKey& key);

 private:
  TileWriter(env::Path folder, crypto::VerifierKey key);
  Result<> load_edge(std::uint64_t size);
  Result<> append(const Bytes& entry);
  Result<> write_full(int level, std::uint64_t index, ByteView content);

  env::Path folder_;
  crypto::VerifierKey key_;
  crypto::Frontier frontier_;
  crypto::Digest root_{};
  std::map<int, std::vector<crypto::Digest>> edge_;  // hashes of each level's unfinished tile
  std::vector<Bytes> bundle_;                        // the unfinished bundle
  std::vector<env::Path> replaced_;  // parts of tiles that became full since the checkpoint
};

/// The checkpoint in `folder`, checked against `key`; of size 0 if there is no file yet.
/// @error Corrupt  not signed by that key.
Result<crypto::Checkpoint> read_checkpoint(const env::Path& folder, const crypto::VerifierKey& key);

}  // namespace loam::ledger
