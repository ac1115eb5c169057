#include "train/rope.h"

#include "base/check.h"
#include "train/elementary.h"

namespace loam::train {

Rope::Rope(const RopeShape& shape, std::size_t positions_max)
    : head_width_(shape.head_width),
      pairs_(shape.rotated / 2),
      pair_step_(shape.pairs == RopePairs::kAdjacent ? 2 : 1),
      partner_(shape.pairs == RopePairs::kAdjacent ? 1 : shape.rotated / 2),
      positions_max_(positions_max) {
  LOAM_CHECK(shape.rotated % 2 == 0 && shape.rotated <= shape.head_width);
  LOAM_CHECK(shape.factors.empty() || shape.factors.size() == pairs_);
  const double log_base = logarithm(double{shape.base});
  std::vector<double> frequencies(pairs_);
  for (std::size_t i = 0; i < pairs_; ++i) {
    const double part = 2 * static_cast<double>(i) / static_cast<double>(shape.rotated);
    frequencies[i] =
        exponential(-part * log_base) / (shape.factors.empty() ? 1.0 : double{shape.factors[i]});
  }
  for (std::size_t position = 0; position < positions_max; ++position)
    for (const double frequency : frequencies) {
      const SineCosine angle = sine_cosine(static_cast<double>(position) * frequency);
      sines_.push_back(static_cast<float>(angle.sine));
      cosines_.push_back(static_cast<float>(angle.cosine));
    }
}

void Rope::turn(Team& team, std::span<const std::uint32_t> positions, std::span<float> heads,
                Turn way) const {
  const std::size_t width = heads.size() / positions.size();
  LOAM_CHECK(width * positions.size() == heads.size() && width % head_width_ == 0);
  const float sign = way == Turn::kForward ? 1.0F : -1.0F;
  team.run_rows(positions.size(), [&](std::size_t from, std::size_t to) {
    for (std::size_t token = from; token < to; ++token) {
      LOAM_CHECK(positions[token] < positions_max_);
      const float* const sines = &sines_[positions[token] * pairs_];
      const float* const cosines = &cosines_[positions[token] * pairs_];
      for (std::size_t head = 0; head < width; head += head_width_) {
        float* first = &heads[token * width + head];
        for (std::size_t i = 0; i < pairs_; ++i, first += pair_step_) {
          const float x = first[0];
          const float y = first[partner_];
          const float sine = sign * sines[i];
          first[0] = x * cosines[i] - y * sine;
          first[partner_] = x * sine + y * cosines[i];
        }
      }
    }
  });
}

}  // namespace loam::train
