#include "crypto/merkle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "base/check.h"
#include "base/format.h"

namespace loam::crypto {
namespace {

constexpr std::uint8_t kLeafPrefix = 0x00;
constexpr std::uint8_t kNodePrefix = 0x01;

/// Joins complete subtrees, largest first, from the right: the root over all their leaves.
Digest join(std::span<const Digest> parts) {
  if (parts.empty()) return sha256({});
  Digest root = parts.back();
  for (std::size_t i = parts.size() - 1; i-- > 0;) root = node_hash(parts[i], root);
  return root;
}

/// The complete subtrees that make up leaves [begin, end), largest first. `begin` is a multiple of
/// the size of the first.
Result<std::vector<Digest>> read_parts(std::uint64_t begin, std::uint64_t end,
                                       const NodeReader& read) {
  std::vector<Digest> parts;
  while (begin < end) {
    const auto level = static_cast<unsigned>(std::bit_width(end - begin)) - 1;
    parts.push_back(LOAM_TRY(read({.level = level, .index = begin >> level})));
    begin += std::uint64_t{1} << level;
  }
  return parts;
}

Result<Digest> range_root(std::uint64_t begin, std::uint64_t end, const NodeReader& read) {
  return join(LOAM_TRY(read_parts(begin, end, read)));
}

/// Where a tree over leaves [begin, end), at least two, is split.
std::uint64_t middle(std::uint64_t begin, std::uint64_t end) {
  return begin + std::bit_floor(end - begin - 1);
}

}  // namespace

Digest leaf_hash(ByteView entry) {
  return Sha256().update({&kLeafPrefix, 1}).update(entry).finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 65> bytes;
  bytes[0] = kNodePrefix;
  std::ranges::copy(left, bytes.begin() + 1);
  std::ranges::copy(right, bytes.begin() + 33);
  return sha256(bytes);
}

Result<Frontier> Frontier::load(std::uint64_t size, const NodeReader& read) {
  Frontier frontier;
  frontier.edge_ = LOAM_TRY(read_parts(0, size, read));
  frontier.size_ = size;
  return frontier;
}

void Frontier::append(const Digest& leaf,
                      const std::function<void(NodeId, const Digest&)>& on_node) {
  LOAM_CHECK(size_ < std::numeric_limits<std::uint64_t>::max());
  Digest node = leaf;
  NodeId id{.level = 0, .index = size_};
  if (on_node) on_node(id, node);
  for (; id.index % 2 == 1; ++id.level, id.index /= 2) {  // a right child completes its parent
    node = node_hash(edge_.back(), node);
    edge_.pop_back();
    if (on_node) on_node({.level = id.level + 1, .index = id.index / 2}, node);
  }
  edge_.push_back(node);
  ++size_;
}

Digest Frontier::root() const { return join(edge_); }

Digest merkle_root(std::span<const Digest> leaves) {
  Frontier frontier;
  for (const Digest& leaf : leaves) frontier.append(leaf);
  return frontier.root();
}

Result<Digest> tree_root(std::uint64_t size, const NodeReader& read) {
  return range_root(0, size, read);
}

Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                            const NodeReader& read) {
  if (index >= size)
    return fail(ErrorCode::kInvalidArgument,
                format("inclusion proof: no leaf {} in a tree of {}", index, size));
  std::vector<Digest> proof;  // from the root down, then turned round
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const std::uint64_t split = middle(begin, end);
    const bool left = index < split;
    proof.push_back(left ? LOAM_TRY(range_root(split, end, read))
                         : LOAM_TRY(range_root(begin, split, read)));
    (left ? end : begin) = split;
  }
  std::ranges::reverse(proof);
  return proof;
}

Result<std::vector<Digest>> consistency_proof(std::uint64_t old_size, std::uint64_t size,
                                              const NodeReader& read) {
  if (old_size > size)
    return fail(ErrorCode::kInvalidArgument,
                format("consistency proof: {} leaves cannot become {}", old_size, size));
  std::vector<Digest> proof;  // from the root down, then turned round
  if (old_size == 0 || old_size == size) return proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end != old_size) {
    const std::uint64_t split = middle(begin, end);
    const bool left = old_size <= split;
    proof.push_back(left ? LOAM_TRY(range_root(split, end, read))
                         : LOAM_TRY(range_root(begin, split, read)));
    (left ? end : begin) = split;
  }
  // Down the left side all the way, what remains is the old tree, whose root the reader has.
  if (begin != 0) proof.push_back(LOAM_TRY(range_root(begin, end, read)));
  std::ranges::reverse(proof);
  return proof;
}

// Both verifications walk up from a node at `node` of its level, beside `last`, the level's last
// node. They follow RFC 9162 sections 2.1.3.2 and 2.1.4.2 step by step.

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest> proof, const Digest& root) {
  if (index >= size) return false;
  std::uint64_t node = index;
  std::uint64_t last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return false;  // longer than the way to the root
    if (node % 2 == 1 || node == last) {
      hash = node_hash(sibling, hash);
      for (; node % 2 == 0 && node != 0; node /= 2) last /= 2;  // levels without a sibling
    } else {
      hash = node_hash(hash, sibling);
    }
    node /= 2;
    last /= 2;
  }
  return last == 0 && hash == root;
}

bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t size,
                        const Digest& root, std::span<const Digest> proof) {
  if (old_size > size) return false;
  if (old_size == size)
    return proof.empty() && old_root == root && (size != 0 || root == sha256({}));
  if (old_size == 0) return proof.empty() && old_root == sha256({});
  std::uint64_t node = old_size - 1;
  std::uint64_t last = size - 1;
  for (; node % 2 == 1; node /= 2) last /= 2;
  // A tree of a power of two is a node of the larger one, and its root is where the way begins.
  Digest old_hash = old_root;
  if (!std::has_single_bit(old_size)) {
    if (proof.empty()) return false;
    old_hash = proof.front();
    proof = proof.subspan(1);
  }
  Digest hash = old_hash;
  for (const Digest& sibling : proof) {
    if (last == 0) return false;
    if (node % 2 == 1 || node == last) {
      old_hash = node_hash(sibling, old_hash);
      hash = node_hash(sibling, hash);
      for (; node % 2 == 0 && node != 0; node /= 2) last /= 2;
    } else {
      hash = node_hash(hash, sibling);
    }
    node /= 2;
    last /= 2;
  }
  return last == 0 && old_hash == old_root && hash == root;
}

}  // namespace loam::crypto
