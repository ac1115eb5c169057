// A proof either way, for any list and any record; and nothing else passes as one.
#include "release/membership.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "crypto/merkle.h"

namespace loam::release {
namespace {

ledger::RecordId id_of(unsigned number) {
  return {crypto::sha256(as_bytes(std::to_string(number)))};
}

std::vector<ledger::RecordId> list_of(const std::vector<unsigned>& numbers) {
  std::vector<ledger::RecordId> out;
  for (const unsigned number : numbers) out.push_back(id_of(number));
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

crypto::Digest root_of(const std::vector<ledger::RecordId>& used) {
  std::vector<crypto::Digest> leaves;
  for (const ledger::RecordId& id : used) leaves.push_back(crypto::leaf_hash(id.digest));
  return crypto::merkle_root(leaves);
}

std::vector<unsigned> some_numbers() {
  return *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 60U));
}

RC_GTEST_PROP(Membership, ProvesEveryRecordEitherWay, ()) {
  const auto used = list_of(some_numbers());
  const ledger::RecordId id = id_of(*rc::gen::inRange(0U, 60U));
  const Membership proof = find_used(used, id);
  RC_ASSERT(proof.is_used == std::ranges::binary_search(used, id));
  RC_ASSERT(verify_membership(proof, id, used.size(), root_of(used)));
}

RC_GTEST_PROP(Membership, AProofForOneRecordIsNoneForTheOtherAnswer, ()) {
  const auto used = list_of(some_numbers());
  const ledger::RecordId id = id_of(*rc::gen::inRange(0U, 60U));
  const ledger::RecordId other = id_of(*rc::gen::inRange(0U, 60U));
  const bool is_used = std::ranges::binary_search(used, id);
  Membership proof = find_used(used, other);
  // Whatever is claimed with it: if it passes, it is true.
  for (const bool said : {false, true}) {
    proof.is_used = said;
    if (verify_membership(proof, id, used.size(), root_of(used))) RC_ASSERT(said == is_used);
  }
}

RC_GTEST_PROP(Membership, AChangedProofDoesNotPass, ()) {
  auto numbers = some_numbers();
  numbers.push_back(1);
  const auto used = list_of(numbers);
  const ledger::RecordId id = id_of(*rc::gen::inRange(0U, 60U));
  const Membership good = find_used(used, id);
  Membership proof = good;
  UsedPlace& place = proof.places.at(*rc::gen::inRange<std::size_t>(0, proof.places.size()));
  const int change = *rc::gen::inRange(0, 4);
  if (change == 0)
    place.id.digest[*rc::gen::inRange<std::size_t>(0, 32)] ^= 1;
  else if (change == 1)
    place.position += *rc::gen::inRange(1U, 3U);
  else if (change == 2 && !place.path.empty())
    place.path.pop_back();
  else
    place.path.push_back(place.id.digest);
  RC_ASSERT(proof != good);
  RC_ASSERT(!verify_membership(proof, id, used.size(), root_of(used)));
}

TEST(Membership, TheEndsOfTheListHaveOneNeighbour) {
  const auto used = list_of({1, 2, 3, 4, 5});
  ledger::RecordId low, high;
  high.digest.fill(255);
  for (const auto& [id, position] : {std::pair{low, 0U}, {high, 4U}}) {
    const Membership proof = find_used(used, id);
    ASSERT_EQ(proof.places.size(), 1U);
    EXPECT_EQ(proof.places.front().position, position);
    EXPECT_TRUE(verify_membership(proof, id, used.size(), root_of(used)));
  }
}

TEST(Membership, NeighboursThatAreNotNextToEachOtherProveNothing) {
  const auto used = list_of({1, 2, 3, 4, 5, 6, 7});
  Membership proof;
  proof.places = {find_used(used, used[1]).places.front(), find_used(used, used[3]).places.front()};
  EXPECT_FALSE(verify_membership(proof, used[2], used.size(), root_of(used)));
}

TEST(Membership, NothingIsInTheEmptyList) {
  const Membership proof = find_used({}, id_of(1));
  EXPECT_FALSE(proof.is_used);
  EXPECT_TRUE(verify_membership(proof, id_of(1), 0, root_of({})));
  EXPECT_FALSE(verify_membership(proof, id_of(1), 1, root_of({id_of(2)})));
}

}  // namespace
}  // namespace loam::release
