#include "tuning/batches.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "crypto/digest.h"
#include "tuning/little_endian.h"

namespace loam::tuning {
namespace {

crypto::Digest place_of(std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
  constexpr std::string_view kPurpose = "loam.order.v1";
  Bytes text(kPurpose.begin(), kPurpose.end());
  for (const std::uint64_t number : {seed, epoch, index}) append_little_endian(text, number);
  return crypto::sha256(text);
}

}  // namespace

std::vector<BatchPlan> plan_epoch(std::span<const std::size_t> lengths, std::size_t tokens_max,
                                  std::size_t examples_max, std::uint64_t seed,
                                  std::uint64_t epoch) {
  std::vector<std::pair<crypto::Digest, std::size_t>> order;
  for (std::size_t i = 0; i < lengths.size(); ++i) order.emplace_back(place_of(seed, epoch, i), i);
  std::ranges::sort(order);

  std::vector<BatchPlan> out;
  std::size_t tokens = 0;
  for (const auto& [place, index] : order) {
    const std::size_t length = lengths[index];
    LOAM_CHECK(length <= tokens_max);
    if (out.empty() || tokens + length > tokens_max || out.back().size() == examples_max) {
      out.emplace_back();
      tokens = 0;
    }
    out.back().push_back(index);
    tokens += length;
  }
  return out;
}

}  // namespace loam::tuning
