#include "train/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "train/gemm_kernel.h"

namespace loam::train {
namespace {

// Chosen by measurement (Zen 4, 2026-11): a tile's part of `b` stays in the first cache, a task's
// part of `a` in the second. kDepth decides the bits of every result: do not change it lightly.
constexpr std::size_t kDepth = 384;
constexpr std::size_t kBlockRows = 2016;  // of one pass over both packed factors
constexpr std::size_t kBlockColumns = 2048;
constexpr std::size_t kTaskPanels = 8;  // a task is so many panels of `a` by so many of `b`

constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}

/// `whole` cut into as few equal parts of at most `most` as will do.
std::size_t equal_part(std::size_t whole, std::size_t most) {
  const std::size_t parts = (whole + most - 1) / most;
  return (whole + parts - 1) / parts;
}

using Four = float __attribute__((vector_size(16)));

/// Copies a square of four lines by four, turned over its diagonal.
void turn_four(const float* from, std::size_t from_step, float* to, std::size_t to_step) {
  Four a, b, c, d;
  std::memcpy(&a, from, sizeof a);
  std::memcpy(&b, from + from_step, sizeof b);
  std::memcpy(&c, from + 2 * from_step, sizeof c);
  std::memcpy(&d, from + 3 * from_step, sizeof d);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  std::memcpy(to, &a, sizeof a);
  std::memcpy(to + to_step, &b, sizeof b);
  std::memcpy(to + 2 * to_step, &c, sizeof c);
  std::memcpy(to + 3 * to_step, &d, sizeof d);
}

/// Writes the rows of `lines` side by side, [columns, width]: a panel. Rows that are missing to the
/// width are zero.
void pack_panel(const Matrix& lines, std::size_t width, float* to) {
  if (lines.rows < width) std::fill_n(to, lines.columns * width, 0.0F);
  if (lines.column_step != 1) {  // then the lines lie side by side already
    for (std::size_t k = 0; k < lines.columns; ++k)
      std::memcpy(to + k * width, lines.data + k * lines.column_step, lines.rows * sizeof(float));
    return;
  }
  const std::size_t squares = lines.columns / 4 * 4;
  std::size_t line = 0;
  for (; line + 4 <= lines.rows; line += 4)
    for (std::size_t k = 0; k < squares; k += 4)
      turn_four(lines.data + line * lines.row_step + k, lines.row_step, to + k * width + line,
                width);
  for (std::size_t i = 0; i < lines.rows; ++i)
    for (std::size_t k = i < line ? squares : 0; k < lines.columns; ++k)
      to[k * width + i] = lines.data[i * lines.row_step + k];
}

/// Part of a matrix.
Matrix part(const Matrix& whole, std::size_t row, std::size_t rows, std::size_t column,
            std::size_t columns) {
  return {whole.data + row * whole.row_step + column * whole.column_step, rows, columns,
          whole.row_step, whole.column_step};
}

const TileKernel& kernel_of(InstructionSet set) {
#if defined(__x86_64__)
  if (set == InstructionSet::kAvx512) return kAvx512Kernel;
  if (set == InstructionSet::kAvx2) return kAvx2Kernel;
#endif
  LOAM_CHECK(set == InstructionSet::kPortable);
  return kPortableKernel;
}

void for_each(Team* team, std::size_t count, const Team::Body& body) {
  if (team != nullptr) return team->run(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i, 0);
}

}  // namespace

std::string_view instruction_set_name(InstructionSet set) {
  static constexpr std::array<std::string_view, 3> kNames = {"portable", "avx2", "avx512"};
  return kNames[static_cast<std::size_t>(set)];
}

std::span<const InstructionSet> instruction_sets() {
  static constexpr std::array kAll = {InstructionSet::kPortable, InstructionSet::kAvx2,
                                      InstructionSet::kAvx512};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") != 0;
  return std::span(kAll).first(avx512 ? 3 : avx2 ? 2 : 1);
#else
  return std::span(kAll).first(1);
#endif
}

/// One pass: factors small enough to be packed whole.
struct Gemm::Block {
  Matrix a;
  Matrix b;
  Output c;
  bool add;
};

Gemm::Gemm(Team& team, InstructionSet set)
    : team_(team), kernel_(kernel_of(set)), own_(team.threads()) {
  LOAM_CHECK(std::ranges::find(instruction_sets(), set) != instruction_sets().end());
}

void Gemm::multiply(const Matrix& a, const Matrix& b, Output c, Into into) {
  multiply_blocks(a, b, c, into, shared_, &team_);
}

void Gemm::multiply_alone(std::size_t worker, const Matrix& a, const Matrix& b, Output c,
                          Into into) {
  multiply_blocks(a, b, c, into, own_[worker], nullptr);
}

void Gemm::multiply_blocks(const Matrix& a, const Matrix& b, Output c, Into into, Scratch& scratch,
                           Team* team) {
  LOAM_CHECK(a.columns == b.rows);
  LOAM_CHECK(a.row_step == 1 || a.column_step == 1);
  LOAM_CHECK(b.row_step == 1 || b.column_step == 1);
  if (a.rows == 0 || b.columns == 0) return;
  LOAM_CHECK(a.columns > 0);
  const std::size_t depth_most = equal_part(a.columns, kDepth);
  for (std::size_t column = 0; column < b.columns; column += kBlockColumns) {
    const std::size_t columns = std::min(kBlockColumns, b.columns - column);
    for (std::size_t row = 0; row < a.rows; row += kBlockRows) {
      const std::size_t rows = std::min(kBlockRows, a.rows - row);
      for (std::size_t k = 0; k < a.columns; k += depth_most) {
        const std::size_t depth = std::min(depth_most, a.columns - k);
        multiply_block({part(a, row, rows, k, depth),
                        part(b, k, depth, column, columns),
                        {c.data + row * c.row_step + column, c.row_step},
                        into == Into::kAdd || k > 0},
                       scratch, team);
      }
    }
  }
}

void Gemm::multiply_block(const Block& block, Scratch& scratch, Team* team) {
  const std::size_t rows = block.a.rows;
  const std::size_t columns = block.b.columns;
  const std::size_t depth = block.a.columns;
  const std::size_t width = kernel_.columns;
  const std::size_t height = equal_part(rows, kernel_.rows_max);
  const std::size_t a_panels = (rows + height - 1) / height;
  const std::size_t b_panels = (columns + width - 1) / width;
  const auto grow = [](std::vector<float>& to, std::size_t size) {
    if (to.size() < size) to.resize(size);
  };
  grow(scratch.a, rows * depth);
  grow(scratch.b, round_up(columns, width) * depth);

  const auto rows_of = [&](std::size_t panel) { return std::min(height, rows - panel * height); };
  const auto columns_of = [&](std::size_t panel) {
    return std::min(width, columns - panel * width);
  };
  for_each(team, a_panels + b_panels, [&](std::size_t i, std::size_t) {
    if (i < a_panels) {
      pack_panel(part(block.a, i * height, rows_of(i), 0, depth), rows_of(i),
                 &scratch.a[i * height * depth]);
    } else {
      const std::size_t panel = i - a_panels;
      pack_panel(part(block.b, 0, depth, panel * width, columns_of(panel)).transposed(), width,
                 &scratch.b[panel * width * depth]);
    }
  });

  const auto multiply_panels = [&](std::size_t a_panel, std::size_t b_panel) {
    const std::size_t height_here = rows_of(a_panel);
    const std::size_t width_here = columns_of(b_panel);
    const Tile tile = kernel_.tiles[height_here - 1];
    const float* a = &scratch.a[a_panel * height * depth];
    const float* b = &scratch.b[b_panel * width * depth];
    float* c = block.c.data + a_panel * height * block.c.row_step + b_panel * width;
    if (width_here == width) return tile(depth, a, b, c, block.c.row_step, block.add);
    float whole[kTileRowsMax * kTileColumnsMax];
    tile(depth, a, b, whole, width, false);
    for (std::size_t i = 0; i < height_here; ++i, c += block.c.row_step)
      for (std::size_t j = 0; j < width_here; ++j)
        c[j] = block.add ? c[j] + whole[i * width + j] : whole[i * width + j];
  };
  const std::size_t a_tasks = (a_panels + kTaskPanels - 1) / kTaskPanels;
  const std::size_t b_tasks = (b_panels + kTaskPanels - 1) / kTaskPanels;
  for_each(team, a_tasks * b_tasks, [&](std::size_t i, std::size_t) {
    const std::size_t a_from = i % a_tasks * kTaskPanels;
    const std::size_t b_from = i / a_tasks * kTaskPanels;
    for (std::size_t b = b_from; b < std::min(b_from + kTaskPanels, b_panels); ++b)
      for (std::size_t a = a_from; a < std::min(a_from + kTaskPanels, a_panels); ++a)
        multiply_panels(a, b);
  });
}

}  // namespace loam::train
