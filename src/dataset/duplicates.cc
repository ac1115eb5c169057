#include "dataset/duplicates.h"

#include <xxhash.h>
#include <algorithm>
#include <map>
#include <numeric>

namespace loam::dataset {
namespace {

constexpr std::size_t kShingle = 5;
constexpr std::size_t kShortWords = 20;
constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
/// How many of the hashes must agree: 72 of 100 of 112, rounded up.
constexpr int kAgreeMin = 81;

__extension__ using Wide = unsigned __int128;

/// x mod 2^61 - 1, of a product of two numbers below it and a third.
std::uint64_t reduce(Wide x) {
  const auto low = static_cast<std::uint64_t>(x) & kPrime;
  const auto high = static_cast<std::uint64_t>(x >> 61);
  const std::uint64_t sum = low + high;
  return sum >= kPrime ? sum - kPrime : sum;
}

struct Permutation {
  std::uint64_t factor, addend;
};
using Permutations = std::array<Permutation, std::tuple_size_v<Signature>>;

/// XXH64 of the number's eight bytes, little-endian.
std::uint64_t hash_number(std::uint64_t number) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return XXH64(bytes.data(), bytes.size(), 0);
}

Permutations make_permutations() {
  Permutations out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = {1 + hash_number(2 * i) % (kPrime - 1), hash_number(2 * i + 1) % kPrime};
  return out;
}

std::size_t root_of(std::vector<std::size_t>& parent, std::size_t at) {
  while (parent[at] != at) at = parent[at] = parent[parent[at]];
  return at;
}

}  // namespace

Signature signature_of(const Words& words) {
  static const Permutations permutations = make_permutations();
  Signature out;
  out.fill(~std::uint32_t{0});
  const bool by_words = words.size() >= kShortWords;
  std::u32string_view text = words.signs();
  if (!text.empty()) text.remove_suffix(1);
  const std::size_t pieces = by_words ? words.size() : text.size();
  const std::size_t shingles = pieces < kShingle ? 1 : pieces - kShingle + 1;
  for (std::size_t first = 0; first < shingles; ++first) {
    const ByteView shingle =
        bytes_of(by_words ? words.run(first, kShingle) : text.substr(first, kShingle));
    const std::uint64_t x = XXH64(shingle.data(), shingle.size(), 0) % kPrime;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto product = static_cast<Wide>(x) * permutations[i].factor;
      const auto value = reduce(product + permutations[i].addend);
      out[i] = std::min(out[i], static_cast<std::uint32_t>(value));
    }
  }
  return out;
}

std::vector<std::size_t> group_duplicates(std::span<const Signature> signatures) {
  std::vector<std::size_t> parent(signatures.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    // The first text of each bucket's value stands for the others in it.
    std::map<std::array<std::uint32_t, kBucketHashes>, std::size_t> first_with;
    for (std::size_t at = 0; at < signatures.size(); ++at) {
      std::array<std::uint32_t, kBucketHashes> key{};
      std::copy_n(signatures[at].begin() + static_cast<std::ptrdiff_t>(bucket * kBucketHashes),
                  kBucketHashes, key.begin());
      const std::size_t other = first_with.emplace(key, at).first->second;
      const Signature& theirs = signatures[other];
      const int agree = std::inner_product(theirs.begin(), theirs.end(), signatures[at].begin(), 0,
                                           std::plus<>(), std::equal_to<>());
      if (agree < kAgreeMin) continue;
      const std::size_t a = root_of(parent, at), b = root_of(parent, other);
      parent[std::max(a, b)] = std::min(a, b);
    }
  }
  for (std::size_t at = 0; at < parent.size(); ++at) parent[at] = root_of(parent, at);
  return parent;
}

}  // namespace loam::dataset
