#include "release/membership.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/merkle.h"

namespace loam::release {
namespace {

/// All nodes of the list's tree.
class UsedTree {
 public:
  explicit UsedTree(std::span<const ledger::RecordId> used) : used_(used) {
    crypto::Frontier tree;
    for (const ledger::RecordId& id : used)
      tree.append(crypto::leaf_hash(id.digest),
                  [&](crypto::NodeId node, const crypto::Digest& hash) {
                    if (levels_.size() <= node.level) levels_.resize(node.level + 1);
                    levels_[node.level].push_back(hash);
                  });
  }

  UsedPlace place(std::uint64_t position) const {
    const auto path = crypto::inclusion_proof(position, used_.size(),
                                              [&](crypto::NodeId node) -> Result<crypto::Digest> {
                                                return levels_.at(node.level).at(node.index);
                                              });
    LOAM_CHECK(path.has_value());
    return {used_[position], position, *path};
  }

 private:
  std::span<const ledger::RecordId> used_;
  std::vector<std::vector<crypto::Digest>> levels_;
};

bool verify_place(const UsedPlace& place, std::uint64_t size, const crypto::Digest& root) {
  return place.position < size && crypto::verify_inclusion(crypto::leaf_hash(place.id.digest),
                                                           place.position, size, place.path, root);
}

}  // namespace

Membership find_used(std::span<const ledger::RecordId> used, const ledger::RecordId& id) {
  const UsedTree tree(used);
  const auto at = static_cast<std::uint64_t>(std::ranges::lower_bound(used, id) - used.begin());
  if (at < used.size() && used[at] == id) return {true, {tree.place(at)}};
  Membership out;
  if (at > 0) out.places.push_back(tree.place(at - 1));
  if (at < used.size()) out.places.push_back(tree.place(at));
  return out;
}

bool verify_membership(const Membership& proof, const ledger::RecordId& id, std::uint64_t size,
                       const crypto::Digest& root) {
  const auto& places = proof.places;
  for (const UsedPlace& place : places)
    if (!verify_place(place, size, root)) return false;
  if (proof.is_used) return places.size() == 1 && places.front().id == id;
  if (places.empty()) return size == 0 && root == crypto::merkle_root({});
  if (places.size() > 2) return false;
  if (places.size() == 2)
    return places[0].id < id && id < places[1].id && places[0].position + 1 == places[1].position;
  const UsedPlace& only = places.front();
  return (only.position == 0 && id < only.id) || (only.position + 1 == size && only.id < id);
}

}  // namespace loam::release
