// Any hashes as a proof: accepted only if they are the proof that the tree itself gives.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "base/check.h"
#include "crypto/merkle.h"

namespace {

namespace crypto = loam::crypto;
using Proof = std::vector<crypto::Digest>;

constexpr std::uint64_t kLeavesMax = 200;

/// A tree of numbered leaves with all its nodes.
struct Tree {
  std::map<std::pair<unsigned, std::uint64_t>, crypto::Digest> nodes;
  std::vector<crypto::Digest> leaves, roots = {crypto::Frontier().root()};

  Tree() {
    crypto::Frontier frontier;
    for (std::uint64_t i = 0; i < kLeavesMax; ++i) {
      leaves.push_back(crypto::leaf_hash(loam::as_bytes(std::to_string(i))));
      frontier.append(leaves.back(), [this](crypto::NodeId node, const crypto::Digest& hash) {
        nodes[{node.level, node.index}] = hash;
      });
      roots.push_back(frontier.root());
    }
  }
  loam::Result<crypto::Digest> operator()(crypto::NodeId node) const {
    return nodes.at({node.level, node.index});
  }
};

/// The proof with up to three bytes changed, hashes cut off or doubled: as the input says.
Proof spoilt(Proof proof, loam::ByteView how) {
  for (std::size_t i = 0; i + 2 < how.size() && i < 9; i += 3) {
    if (proof.empty()) break;
    crypto::Digest& hash = proof[how[i] % proof.size()];
    if (how[i + 1] < 224)
      hash[how[i + 1] % 32] ^= how[i + 2];
    else if (how[i + 1] < 240)
      proof.pop_back();
    else
      proof.insert(proof.begin() + how[i] % 3 % std::ssize(proof), crypto::Digest(hash));
  }
  return proof;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
  const auto read = [](crypto::NodeId node) { return tree(node); };
  if (size < 4) return 0;
  const std::uint64_t leaves = data[0] % kLeavesMax + 1, first = data[1] % leaves;
  const std::uint64_t claimed_index = data[2], claimed_size = data[3];
  const loam::ByteView rest(data + 4, size - 4);

  const Proof inclusion = *crypto::inclusion_proof(first, leaves, read);
  const Proof other = spoilt(inclusion, rest);
  // A wrong index or size must not help a wrong leaf in, nor the right one elsewhere.
  if (crypto::verify_inclusion(tree.leaves[first], claimed_index, leaves, other,
                               tree.roots[leaves]))
    LOAM_CHECK(claimed_index == first && other == inclusion);
  LOAM_CHECK(
      crypto::verify_inclusion(tree.leaves[first], first, leaves, inclusion, tree.roots[leaves]));
  LOAM_CHECK(leaves == 1 || !crypto::verify_inclusion(tree.roots[leaves], first, leaves, other,
                                                      tree.roots[leaves]));

  const Proof consistency = *crypto::consistency_proof(first, leaves, read);
  LOAM_CHECK(crypto::verify_consistency(first, tree.roots[first], leaves, tree.roots[leaves],
                                        consistency));
  const Proof changed = spoilt(consistency, rest);
  const bool accepted =
      crypto::verify_consistency(first, tree.roots[first], leaves, tree.roots[leaves], changed);
  LOAM_CHECK(accepted == (changed == consistency));
  // Any sizes and hashes are allowed as input.
  Proof hashes(rest.size() / 32);
  for (std::size_t i = 0; i < hashes.size(); ++i)
    std::copy_n(rest.begin() + static_cast<std::ptrdiff_t>(32 * i), 32, hashes[i].begin());
  LOAM_CHECK(!crypto::verify_inclusion(tree.leaves[first], claimed_index, claimed_size, hashes,
                                       tree.roots[leaves]) ||
             hashes == inclusion);
  static_cast<void>(crypto::verify_consistency(claimed_index, tree.roots[first], claimed_size,
                                               tree.roots[leaves], hashes));
  return 0;
}
