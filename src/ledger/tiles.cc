#include "ledger/tiles.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"

namespace loam::ledger {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr unsigned kTileHeight = 8;  // levels of the tree in a tile: 2^8 is kTileWidth
constexpr int kLevelMax = 7;         // 64-bit sizes need no more
constexpr std::string_view kCheckpointFile = "checkpoint";

std::unexpected<Error> damaged(const env::Path& file, std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("log file {}: {}", file.string(), why),
              "restore it from a mirror or a backup; `loam ledger verify` checks them all");
}

std::string grouped(std::uint64_t index) {
  std::string out = format("{:03}", index % 1000);
  for (index /= 1000; index > 0; index /= 1000) out = format("x{:03}/{}", index % 1000, out);
  return out;
}

/// A file of the log, whole. @error Corrupt  it is not there.
Result<Bytes> read_whole(const env::Path& file, std::uint64_t bytes_max) {
  const auto content = env::read_file(file, bytes_max);
  if (!content && content.error().code == ErrorCode::kNotFound) return damaged(file, "is missing");
  if (!content) return std::unexpected(content.error());
  const ByteView view = as_bytes(*content);
  return Bytes(view.begin(), view.end());
}

/// The hashes of a tile; one that has more than was asked for will do.
Result<std::vector<crypto::Digest>> read_tile(const env::Path& folder, int level,
                                              std::uint64_t index, std::uint64_t width) {
  env::Path file = folder / tile_path(level, index, width);
  // A full tile replaces its parts.
  if (width < kTileWidth && !env::is_plain_file(file)) file = folder / tile_path(level, index);
  const Bytes content = LOAM_TRY(read_whole(file, kTileWidth * kHashBytes));
  if (content.size() % kHashBytes != 0 || content.size() / kHashBytes < width)
    return damaged(file, format("{} bytes, {} belong there", content.size(), width * kHashBytes));
  std::vector<crypto::Digest> out(width);
  for (std::uint64_t i = 0; i < width; ++i)
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(i * kHashBytes), kHashBytes,
                out[i].begin());
  return out;
}

/// How many hashes tile `index` of `level` has in a tree of `size` leaves.
std::uint64_t width_of(int level, std::uint64_t index, std::uint64_t size) {
  const std::uint64_t nodes = size >> (kTileHeight * static_cast<unsigned>(level));
  const std::uint64_t before = index * kTileWidth;
  return nodes <= before ? 0 : std::min(nodes - before, kTileWidth);
}

Bytes joined(const std::vector<crypto::Digest>& hashes) {
  Bytes out;
  out.reserve(hashes.size() * kHashBytes);
  for (const crypto::Digest& hash : hashes) out.insert(out.end(), hash.begin(), hash.end());
  return out;
}

Result<> write_new(const env::Path& file, ByteView content) {
  LOAM_TRY(env::make_folder(file.parent_path()));
  return env::write_file_atomic(file, as_text(content));
}

}  // namespace

std::string tile_path(int level, std::uint64_t index, std::uint64_t width) {
  const std::string kind = level == kEntries ? "entries" : std::to_string(level);
  std::string out = format("tile/{}/{}", kind, grouped(index));
  if (width < kTileWidth) out += format(".p/{}", width);
  return out;
}

Result<TileName> parse_tile_path(std::string_view path) {
  const auto refuse = [] { return fail(ErrorCode::kNotFound, "no tile of a log has this path"); };
  TileName out;
  std::string_view rest = path;
  if (!rest.starts_with("tile/") || path.size() > 100) return refuse();
  rest.remove_prefix(5);
  const std::string_view kind = rest.substr(0, rest.find('/'));
  if (kind.size() == rest.size()) return refuse();
  out.level = kind == "entries" ? kEntries : static_cast<int>(parse_int(kind).value_or(-2));
  if (out.level < kEntries || out.level > kLevelMax) return refuse();
  rest.remove_prefix(kind.size() + 1);
  if (const std::size_t part = rest.find(".p/"); part != std::string_view::npos) {
    out.width = static_cast<std::uint64_t>(parse_int(rest.substr(part + 3)).value_or(0));
    if (out.width == 0 || out.width >= kTileWidth) return refuse();
    rest = rest.substr(0, part);
  }
  for (const char c : rest) {
    if (c < '0' || c > '9') continue;
    if (out.index > UINT64_MAX / 10 - 10) return refuse();
    out.index = out.index * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (tile_path(out.level, out.index, out.width) != path) return refuse();  // another spelling
  return out;
}

Bytes encode_bundle(const std::vector<Bytes>& entries) {
  Bytes out;
  for (const Bytes& entry : entries) {
    out.push_back(static_cast<std::uint8_t>(entry.size() >> 8));
    out.push_back(static_cast<std::uint8_t>(entry.size()));
    out.insert(out.end(), entry.begin(), entry.end());
  }
  return out;
}

Result<std::vector<Bytes>> decode_bundle(ByteView bytes) {
  std::vector<Bytes> out;
  while (!bytes.empty()) {
    const std::size_t length = bytes.size() < 2 ? 0 : std::size_t{bytes[0]} << 8 | bytes[1];
    if (bytes.size() < 2 || length > bytes.size() - 2 || out.size() == kTileWidth)
      return fail(ErrorCode::kCorrupt, "entry bundle: its lengths do not add up");
    const ByteView entry = bytes.subspan(2, length);
    out.emplace_back(entry.begin(), entry.end());
    bytes = bytes.subspan(2 + length);
  }
  return out;
}

crypto::NodeReader tile_reader(env::Path folder, std::uint64_t size) {
  return [folder = std::move(folder), size](crypto::NodeId node) -> Result<crypto::Digest> {
    const int level = static_cast<int>(node.level / kTileHeight);
    const unsigned height = node.level % kTileHeight;
    const std::uint64_t first = node.index << height;  // of the tile's hashes below the node
    const std::uint64_t tile = first / kTileWidth;
    std::vector<crypto::Digest> hashes =
        LOAM_TRY(read_tile(folder, level, tile, width_of(level, tile, size)));
    const std::uint64_t from = first % kTileWidth, count = std::uint64_t{1} << height;
    if (from + count > hashes.size())
      return fail(ErrorCode::kInvalidArgument, "log: this part of the tree is not complete yet");
    return crypto::merkle_root(std::span(hashes).subspan(from, count));
  };
}

Result<crypto::Checkpoint> read_checkpoint(const env::Path& folder,
                                           const crypto::VerifierKey& key) {
  const env::Path file = folder / kCheckpointFile;
  const auto note = env::read_file(file, kNoteBytesMax);
  if (!note && note.error().code == ErrorCode::kNotFound)
    return crypto::Checkpoint{.origin = key.name};
  if (!note) return std::unexpected(note.error());
  const auto body = crypto::open_note(*note, key);
  if (!body) return damaged(file, body.error().message);
  auto checkpoint = crypto::parse_checkpoint(*body);
  if (!checkpoint || checkpoint->origin != key.name)
    return damaged(file, "is no checkpoint of this log");
  return checkpoint;
}

TileWriter::TileWriter(env::Path folder, crypto::VerifierKey key)
    : folder_(std::move(folder)), key_(std::move(key)) {}

Result<TileWriter> TileWriter::open(env::Path folder, crypto::VerifierKey key) {
  LOAM_TRY(env::make_folder(folder));
  const crypto::Checkpoint checkpoint = LOAM_TRY(read_checkpoint(folder, key));
  TileWriter out(std::move(folder), std::move(key));
  LOAM_TRY(out.load_edge(checkpoint.size));
  out.root_ = out.frontier_.root();
  if (checkpoint.size > 0 && out.root_ != checkpoint.root)
    return damaged(out.folder_ / kCheckpointFile, "its root is not that of the tiles beside it");
  return out;
}

Result<> TileWriter::load_edge(std::uint64_t size) {
  frontier_ = LOAM_TRY(crypto::Frontier::load(size, tile_reader(folder_, size)));
  for (int level = 0; level <= kLevelMax; ++level) {
    const std::uint64_t tile = (size >> (kTileHeight * static_cast<unsigned>(level))) / kTileWidth;
    const std::uint64_t width = width_of(level, tile, size);
    if (width > 0) edge_[level] = LOAM_TRY(read_tile(folder_, level, tile, width));
  }
  const std::uint64_t width = size % kTileWidth;
  if (width == 0) return {};
  const env::Path file = folder_ / tile_path(kEntries, size / kTileWidth, width);
  const Bytes content = LOAM_TRY(read_whole(file, kBundleBytesMax));
  auto entries = decode_bundle(content);
  if (!entries) return damaged(file, entries.error().message);
  bundle_ = *std::move(entries);
  if (bundle_.size() != width) return damaged(file, format("has {} entries", bundle_.size()));
  for (std::size_t i = 0; i < width; ++i)
    if (crypto::leaf_hash(bundle_[i]) != edge_[0].at(i))
      return damaged(file, "is not what was hashed");
  return {};
}

Result<> TileWriter::write_full(int level, std::uint64_t index, ByteView content) {
  replaced_.push_back(folder_ / (tile_path(level, index) + ".p"));
  return write_new(folder_ / tile_path(level, index), content);
}

Result<> TileWriter::append(const Bytes& entry) {
  const std::uint64_t index = frontier_.size();
  Result<> written = {};
  frontier_.append(crypto::leaf_hash(entry), [&](crypto::NodeId node, const crypto::Digest& hash) {
    if (node.level % kTileHeight != 0) return;
    const int level = static_cast<int>(node.level / kTileHeight);
    std::vector<crypto::Digest>& hashes = edge_[level];
    hashes.push_back(hash);
    if (hashes.size() < kTileWidth) return;
    if (written) written = write_full(level, node.index / kTileWidth, joined(hashes));
    hashes.clear();
  });
  LOAM_TRY(std::move(written));
  bundle_.push_back(entry);
  if (bundle_.size() < kTileWidth) return {};
  const Bytes whole = encode_bundle(bundle_);
  bundle_.clear();
  return write_full(kEntries, index / kTileWidth, whole);
}

Result<> TileWriter::publish(const std::vector<Bytes>& entries, const crypto::SigningKey& key) {
  for (const Bytes& entry : entries) LOAM_TRY(append(entry));
  const std::uint64_t size = frontier_.size();
  for (const auto& [level, hashes] : edge_) {
    if (hashes.empty()) continue;
    const std::uint64_t tile = (size >> (kTileHeight * static_cast<unsigned>(level))) / kTileWidth;
    LOAM_TRY(write_new(folder_ / tile_path(level, tile, hashes.size()), joined(hashes)));
  }
  if (!bundle_.empty())
    LOAM_TRY(write_new(folder_ / tile_path(kEntries, size / kTileWidth, bundle_.size()),
                       encode_bundle(bundle_)));
  root_ = frontier_.root();
  const crypto::Checkpoint checkpoint{.origin = key_.name, .size = size, .root = root_};
  LOAM_TRY(env::write_file_atomic(folder_ / kCheckpointFile,
                                  crypto::sign_note(checkpoint.text(), key_.name, key)));
  // Only now does nobody need the parts of a tile that became full: readers fall back to it.
  for (const env::Path& parts : std::exchange(replaced_, {})) LOAM_TRY(env::remove_tree(parts));
  return {};
}

}  // namespace loam::ledger
