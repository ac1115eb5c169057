#include "crypto/merkle.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace loam::crypto {
namespace {

using Proof = std::vector<Digest>;
using Hashes = std::span<const Digest>;

Digest numbered_leaf(std::uint64_t number) {
  return leaf_hash(as_bytes("leaf " + std::to_string(number)));
}

std::vector<Digest> numbered_leaves(std::uint64_t count) {
  std::vector<Digest> leaves;
  for (std::uint64_t i = 0; i < count; ++i) leaves.push_back(numbered_leaf(i));
  return leaves;
}

/// Every complete subtree of a tree, and no other; asking for one that is not there fails a proof.
class StoredTree {
 public:
  explicit StoredTree(Hashes leaves) {
    for (const Digest& leaf : leaves)
      frontier_.append(leaf, [this](NodeId id, const Digest& hash) {
        EXPECT_TRUE(nodes_.emplace(std::pair(id.level, id.index), hash).second);
      });
  }
  NodeReader reader() const {
    return [this](NodeId id) -> Result<Digest> {
      const auto found = nodes_.find({id.level, id.index});
      if (found == nodes_.end()) return fail(ErrorCode::kNotFound, "no such node");
      return found->second;
    };
  }
  const Frontier& frontier() const { return frontier_; }
  std::size_t node_count() const { return nodes_.size(); }

 private:
  Frontier frontier_;
  std::map<std::pair<unsigned, std::uint64_t>, Digest> nodes_;
};

// The definitions of RFC 6962 section 2.1, word by word, and verification as their inverse: a
// second implementation that shares no step with the first.

std::size_t split_of(std::size_t count) { return std::bit_floor(count - 1); }

Digest defined_root(Hashes leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves[0];
  const std::size_t k = split_of(leaves.size());
  return node_hash(defined_root(leaves.first(k)), defined_root(leaves.subspan(k)));
}

Proof with(Proof proof, const Digest& last) {
  proof.push_back(last);
  return proof;
}

Proof defined_path(std::size_t m, Hashes leaves) {
  if (leaves.size() == 1) return {};
  const std::size_t k = split_of(leaves.size());
  if (m < k) return with(defined_path(m, leaves.first(k)), defined_root(leaves.subspan(k)));
  return with(defined_path(m - k, leaves.subspan(k)), defined_root(leaves.first(k)));
}

Proof defined_subproof(std::size_t m, Hashes leaves, bool whole) {
  if (m == leaves.size()) return whole ? Proof{} : Proof{defined_root(leaves)};
  const std::size_t k = split_of(leaves.size());
  if (m <= k)
    return with(defined_subproof(m, leaves.first(k), whole), defined_root(leaves.subspan(k)));
  return with(defined_subproof(m - k, leaves.subspan(k), false), defined_root(leaves.first(k)));
}

std::optional<Digest> implied_root(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                   Hashes proof) {
  if (size == 1) return proof.empty() ? std::optional(leaf) : std::nullopt;
  if (proof.empty()) return std::nullopt;
  const std::uint64_t k = split_of(size);
  const Hashes rest = proof.first(proof.size() - 1);
  const bool left = index < k;
  const auto below =
      left ? implied_root(leaf, index, k, rest) : implied_root(leaf, index - k, size - k, rest);
  if (!below) return std::nullopt;
  return left ? node_hash(*below, proof.back()) : node_hash(proof.back(), *below);
}

bool defined_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, Hashes proof,
                       const Digest& root) {
  return index < size && implied_root(leaf, index, size, proof) == root;
}

struct Roots {
  Digest before;
  Digest after;
};

std::optional<Roots> implied_roots(std::uint64_t m, std::uint64_t n, const Digest& old_root,
                                   Hashes proof, bool whole) {
  if (m == n) {
    if (whole) return proof.empty() ? std::optional(Roots{old_root, old_root}) : std::nullopt;
    return proof.size() == 1 ? std::optional(Roots{proof[0], proof[0]}) : std::nullopt;
  }
  if (proof.empty()) return std::nullopt;
  const std::uint64_t k = split_of(n);
  const Digest& sibling = proof.back();
  const Hashes rest = proof.first(proof.size() - 1);
  if (m <= k) {
    const auto below = implied_roots(m, k, old_root, rest, whole);
    if (!below) return std::nullopt;
    return Roots{below->before, node_hash(below->after, sibling)};
  }
  const auto below = implied_roots(m - k, n - k, old_root, rest, false);
  if (!below) return std::nullopt;
  return Roots{node_hash(sibling, below->before), node_hash(sibling, below->after)};
}

bool defined_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t size,
                         const Digest& root, Hashes proof) {
  if (old_size == 0)
    return proof.empty() && old_root == sha256({}) && (size > 0 || root == old_root);
  if (old_size > size) return false;
  const auto roots = implied_roots(old_size, size, old_root, proof, true);
  return roots && roots->before == old_root && roots->after == root;
}

/// `hash` with one byte changed.
Digest changed(Digest hash, std::size_t byte, std::uint8_t by) {
  hash[byte % hash.size()] ^= by;
  return hash;
}

/// Every proof that is `proof` with one hash changed, dropped, added or exchanged.
std::vector<Proof> spoilt(const Proof& proof, std::size_t byte, std::uint8_t by) {
  std::vector<Proof> out;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    Proof one = proof;
    one[i] = changed(one[i], byte, by);
    out.push_back(one);
    one = proof;
    one.erase(one.begin() + at);
    out.push_back(one);
    one = proof;
    one.insert(one.begin() + at, proof[i]);
    out.push_back(one);
    if (i == 0) continue;
    one = proof;
    std::swap(one[i - 1], one[i]);
    out.push_back(one);
  }
  out.push_back(with(proof, Digest{}));
  return out;
}

// The eight entries that Certificate Transparency's implementations have tested with since 2013.
std::vector<Digest> known_leaves() {
  std::vector<Digest> leaves;
  for (const std::string_view hex : {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                     "606162636465666768696a6b6c6d6e6f"})
    leaves.push_back(leaf_hash(from_hex(hex).value()));
  return leaves;
}

TEST(Merkle, RootsAreThoseOfCertificateTransparency) {
  const std::vector<Digest> leaves = known_leaves();
  const std::vector<std::string_view> roots = {
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  for (std::size_t size = 0; size < roots.size(); ++size)
    EXPECT_EQ(digest_hex(merkle_root(Hashes(leaves).first(size))), roots[size]) << size;
}

TEST(Merkle, ProofsAreThoseOfCertificateTransparency) {
  const std::vector<Digest> leaves = known_leaves();
  const StoredTree tree(leaves);
  const auto hex = [](const Proof& proof) {
    std::string text;
    for (const Digest& hash : proof) text += digest_hex(hash) + "\n";
    return text;
  };
  EXPECT_EQ(hex(inclusion_proof(5, 8, tree.reader()).value()),
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b\n"
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0\n"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7\n");
  EXPECT_EQ(hex(consistency_proof(6, 8, tree.reader()).value()),
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a\n"
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0\n"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7\n");
}

TEST(Merkle, EverySmallTreeIsAsDefined) {
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::vector<Digest> leaves = numbered_leaves(size);
    const StoredTree tree(leaves);
    const Digest root = defined_root(leaves);
    EXPECT_EQ(tree.frontier().root(), root) << size;
    EXPECT_EQ(tree_root(size, tree.reader()).value(), root) << size;
    for (std::size_t i = 0; i < size; ++i)
      EXPECT_EQ(inclusion_proof(i, size, tree.reader()).value(), defined_path(i, leaves));
    for (std::size_t old = 0; old <= size; ++old) {
      const Digest old_root = defined_root(Hashes(leaves).first(old));
      const Proof proof = consistency_proof(old, size, tree.reader()).value();
      EXPECT_EQ(proof, old == 0 ? Proof{} : defined_subproof(old, leaves, true));
      EXPECT_TRUE(verify_consistency(old, old_root, size, root, proof)) << old << " " << size;
    }
  }
}

TEST(Merkle, ATreeStoresEveryCompleteSubtreeOnce) {
  for (const std::uint64_t size : {1U, 2U, 7U, 8U, 300U}) {
    const StoredTree tree(numbered_leaves(size));
    std::uint64_t complete = 0;
    for (unsigned level = 0; level < 10; ++level) complete += size >> level;
    EXPECT_EQ(tree.node_count(), complete);
  }
}

TEST(Merkle, WhatIsNotInTheTreeHasNoProof) {
  const StoredTree tree(numbered_leaves(5));
  EXPECT_EQ(inclusion_proof(5, 5, tree.reader()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(inclusion_proof(0, 0, tree.reader()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(consistency_proof(6, 5, tree.reader()).error().code, ErrorCode::kInvalidArgument);
}

TEST(Merkle, AFailureToReadIsPassedOn) {
  const StoredTree tree(numbered_leaves(5));
  EXPECT_EQ(Frontier::load(6, tree.reader()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tree_root(6, tree.reader()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(inclusion_proof(0, 8, tree.reader()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(consistency_proof(3, 8, tree.reader()).error().code, ErrorCode::kNotFound);
}

TEST(Merkle, TheEmptyTreeIsConsistentWithAll) {
  const Digest empty = sha256({});
  const Digest root = merkle_root(numbered_leaves(3));
  EXPECT_TRUE(verify_consistency(0, empty, 0, empty, {}));
  EXPECT_TRUE(verify_consistency(0, empty, 3, root, {}));
  EXPECT_FALSE(verify_consistency(0, root, 3, root, {}));
  EXPECT_FALSE(verify_consistency(0, root, 0, root, {}));
  EXPECT_FALSE(verify_consistency(0, empty, 3, root, Proof{root}));
  EXPECT_FALSE(verify_inclusion(root, 0, 0, {}, root));
}

TEST(Merkle, ATreeIsConsistentWithItselfOnly) {
  const Digest root = merkle_root(numbered_leaves(3));
  EXPECT_TRUE(verify_consistency(3, root, 3, root, {}));
  EXPECT_FALSE(verify_consistency(3, root, 3, root, Proof{root}));
  EXPECT_FALSE(verify_consistency(3, root, 3, merkle_root(numbered_leaves(4)), {}));
  EXPECT_FALSE(verify_consistency(4, root, 3, root, {}));
}

// 63 levels of one hash: sizes that no test can store.
TEST(Merkle, TheLargestTreeCanBeProved) {
  constexpr std::uint64_t kLargest = ~std::uint64_t{0};
  std::vector<Digest> uniform = {leaf_hash({})};
  while (uniform.size() < 64) uniform.push_back(node_hash(uniform.back(), uniform.back()));
  const NodeReader reader = [&](NodeId id) -> Result<Digest> {
    if (id.index >= kLargest >> id.level) return fail(ErrorCode::kNotFound, "not complete");
    return uniform[id.level];
  };
  const Digest root = tree_root(kLargest, reader).value();
  for (const std::uint64_t index : {std::uint64_t{0}, kLargest / 2, kLargest - 1}) {
    const Proof proof = inclusion_proof(index, kLargest, reader).value();
    EXPECT_TRUE(verify_inclusion(uniform[0], index, kLargest, proof, root)) << index;
  }
  for (const std::uint64_t old : {std::uint64_t{1}, kLargest / 2, kLargest / 2 + 1, kLargest - 1}) {
    const Proof proof = consistency_proof(old, kLargest, reader).value();
    const Digest old_root = tree_root(old, reader).value();
    EXPECT_TRUE(verify_consistency(old, old_root, kLargest, root, proof)) << old;
  }
}

RC_GTEST_PROP(MerkleProperty, AnInclusionProofHoldsForItsLeafOnly, ()) {
  const auto size = *rc::gen::inRange<std::uint64_t>(1, 301);
  const auto index = *rc::gen::inRange<std::uint64_t>(0, size);
  const auto byte = *rc::gen::inRange<std::size_t>(0, 32);
  const auto by = *rc::gen::inRange<std::uint8_t>(1, 255);
  const std::vector<Digest> leaves = numbered_leaves(size);
  const StoredTree tree(leaves);
  const Digest root = tree.frontier().root();
  const Digest& leaf = leaves[index];

  const Proof proof = inclusion_proof(index, size, tree.reader()).value();
  RC_ASSERT(verify_inclusion(leaf, index, size, proof, root));
  for (const Proof& bad : spoilt(proof, byte, by))
    RC_ASSERT(!verify_inclusion(leaf, index, size, bad, root));
  RC_ASSERT(!verify_inclusion(changed(leaf, byte, by), index, size, proof, root));
  RC_ASSERT(!verify_inclusion(leaf, index, size, proof, changed(root, byte, by)));
  for (std::uint64_t other = 0; other < 310; ++other) {
    if (other != index) RC_ASSERT(!verify_inclusion(leaf, other, size, proof, root));
    RC_ASSERT(verify_inclusion(leaf, index, other, proof, root) ==
              defined_inclusion(leaf, index, other, proof, root));
  }
}

RC_GTEST_PROP(MerkleProperty, AConsistencyProofHoldsForItsRootsOnly, ()) {
  const auto size = *rc::gen::inRange<std::uint64_t>(1, 301);
  const auto old = *rc::gen::inRange<std::uint64_t>(1, size + 1);
  const auto byte = *rc::gen::inRange<std::size_t>(0, 32);
  const auto by = *rc::gen::inRange<std::uint8_t>(1, 255);
  const std::vector<Digest> leaves = numbered_leaves(size);
  const StoredTree tree(leaves);
  const Digest root = tree.frontier().root();
  const Digest old_root = merkle_root(Hashes(leaves).first(old));

  const Proof proof = consistency_proof(old, size, tree.reader()).value();
  RC_ASSERT(verify_consistency(old, old_root, size, root, proof));
  for (const Proof& bad : spoilt(proof, byte, by))
    RC_ASSERT(!verify_consistency(old, old_root, size, root, bad));
  RC_ASSERT(!verify_consistency(old, changed(old_root, byte, by), size, root, proof));
  RC_ASSERT(!verify_consistency(old, old_root, size, changed(root, byte, by), proof));
  for (std::uint64_t other = 0; other < 310; ++other) {
    RC_ASSERT(verify_consistency(other, old_root, size, root, proof) ==
              defined_consistency(other, old_root, size, root, proof));
    RC_ASSERT(verify_consistency(old, old_root, other, root, proof) ==
              defined_consistency(old, old_root, other, root, proof));
  }
}

RC_GTEST_PROP(MerkleProperty, AnyHashesAsAProofHaveTheVerdictOfTheDefinition, ()) {
  // Few hashes, so that what should not match meets what might.
  const auto some =
      *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 3));
  const auto index = *rc::gen::inRange<std::uint64_t>(0, 70);
  const auto size = *rc::gen::inRange<std::uint64_t>(0, 70);
  Proof proof;
  for (const std::uint64_t number : some) proof.push_back(numbered_leaf(number));
  const Digest leaf = numbered_leaf(0);
  const Digest root = index < size ? implied_root(leaf, index, size, proof).value_or(leaf) : leaf;
  RC_ASSERT(verify_inclusion(leaf, index, size, proof, root) ==
            defined_inclusion(leaf, index, size, proof, root));
  RC_ASSERT(verify_consistency(index, leaf, size, root, proof) ==
            defined_consistency(index, leaf, size, root, proof));
}

RC_GTEST_PROP(MerkleProperty, LoadingTheEdgeEqualsAppending, ()) {
  const auto size = *rc::gen::inRange<std::uint64_t>(0, 301);
  const auto more = *rc::gen::inRange<std::uint64_t>(0, 20);
  const std::vector<Digest> leaves = numbered_leaves(size + more);
  const StoredTree tree(Hashes(leaves).first(size));
  Frontier loaded = Frontier::load(size, tree.reader()).value();
  RC_ASSERT(loaded.size() == size);
  RC_ASSERT(loaded.root() == defined_root(Hashes(leaves).first(size)));
  for (std::uint64_t i = size; i < size + more; ++i) loaded.append(leaves[i]);
  RC_ASSERT(loaded.size() == size + more);
  RC_ASSERT(loaded.root() == defined_root(leaves));
}

}  // namespace
}  // namespace loam::crypto
