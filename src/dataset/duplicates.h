// Near duplicates: MinHash over shingles, as in docs/formats/dataset.md. Home of xxhash.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataset/words.h"

namespace loam::dataset {

/// 14 buckets of 8 hashes: two texts of Jaccard similarity 0.8 meet with probability 0.92, the
/// threshold is near 0.72. @source datatrove's MinHash; Broder 1997.
inline constexpr std::size_t kBuckets = 14;
inline constexpr std::size_t kBucketHashes = 8;

/// Of a text's shingles: the smallest value of each of 112 hash functions.
using Signature = std::array<std::uint32_t, kBuckets * kBucketHashes>;

/// Shingles are 5 words in a row, or 5 signs in a row where a text has less than 20 words.
Signature signature_of(const Words& words);

/// Groups of texts that are near duplicates of each other, by position. Two belong together if they
/// agree in a whole bucket and in at least 72 of 100 hashes; a group is what hangs together so.
/// @return for each text the smallest position of its group.
std::vector<std::size_t> group_duplicates(std::span<const Signature> signatures);

}  // namespace loam::dataset
