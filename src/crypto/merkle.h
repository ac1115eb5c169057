// The Merkle tree of Certificate Transparency: roots, inclusion and consistency proofs, and the
// nodes that tiles store.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "crypto/digest.h"

namespace loam::crypto {

/// SHA-256(0x00 || entry) and SHA-256(0x01 || left || right). @source RFC 6962 section 2.1.
Digest leaf_hash(ByteView entry);
Digest node_hash(const Digest& left, const Digest& right);

/// The hash of the complete subtree over leaves [index * 2^level, (index + 1) * 2^level).
struct NodeId {
  unsigned level = 0;
  std::uint64_t index = 0;
  friend bool operator==(const NodeId&, const NodeId&) = default;
};

/// Where a tree's stored nodes come from: tiles, or a table in memory.
/// Asked only for complete subtrees of the tree. A failure is passed on.
using NodeReader = std::function<Result<Digest>(NodeId)>;

/// A growing tree of which only the right edge is kept: enough to append and to know the root.
class Frontier {
 public:
  Frontier() = default;  // the empty tree
  /// A tree of `size` leaves, whose edge is read.
  static Result<Frontier> load(std::uint64_t size, const NodeReader& read);

  std::uint64_t size() const { return size_; }
  /// Appends a leaf; `on_node` is told every complete subtree that this makes, lowest first, the
  /// leaf itself included. At most 2^64 - 1 leaves.
  void append(const Digest& leaf, const std::function<void(NodeId, const Digest&)>& on_node = {});
  /// SHA-256 of nothing for the empty tree.
  Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> edge_;  // complete subtrees from the left, largest first
};

/// The root of a list of leaves. For tests and small lists.
Digest merkle_root(std::span<const Digest> leaves);

/// The root of the first `size` leaves of a stored tree.
Result<Digest> tree_root(std::uint64_t size, const NodeReader& read);

/// The hashes that lead from a leaf, or from an older root, to the root of the first `size` leaves;
/// lowest first. From the empty tree, or to the same one, nothing leads: that proof is empty.
/// @error InvalidArgument  `index` >= `size`, or `old_size` > `size`.
/// @source RFC 6962 sections 2.1.1 and 2.1.2.
Result<std::vector<Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                            const NodeReader& read);
Result<std::vector<Digest>> consistency_proof(std::uint64_t old_size, std::uint64_t size,
                                              const NodeReader& read);

/// True only for the one proof of exactly the right length. Any input is allowed. A proof says
/// nothing about a size beyond the way to the root, which other sizes may share: `size` and `root`
/// must come from one signed checkpoint. The empty tree has its one root, and is consistent with
/// all.
/// @source RFC 9162 sections 2.1.3.2 and 2.1.4.2.
bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest> proof, const Digest& root);
bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t size,
                        const Digest& root, std::span<const Digest> proof);

}  // namespace loam::crypto
