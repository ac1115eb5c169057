// Products of matrices: nine tenths of a training run.
//
// Both factors are cut into blocks that fit the caches and copied into the order in which a small
// kernel reads them (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
// 2008). Each number of the result is one chain of fused multiply-adds over the depth, in blocks of
// a fixed size: so it has the same bits with any number of threads, on any instruction set and from
// any compiler.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "train/matrix.h"
#include "train/team.h"

namespace loam::train {

struct TileKernel;  // gemm_kernel.h

/// What a kernel was compiled for, the slowest first.
enum class InstructionSet { kPortable, kAvx2, kAvx512 };

/// "portable", "avx2" or "avx512", for the lineage.
std::string_view instruction_set_name(InstructionSet set);

/// What this processor can run, the fastest last; the portable one is always there.
std::span<const InstructionSet> instruction_sets();

class Gemm {
 public:
  /// `team` must outlive this. `set` is one of instruction_sets().
  explicit Gemm(Team& team, InstructionSet set = instruction_sets().back());

  Team& team() { return team_; }

  /// c = a b, or c += a b, on all threads of the team. c overlaps neither factor.
  /// Efficient from about 8 rows of `a` on: put the narrow side there.
  /// @thread not from within a body of Team::run().
  void multiply(const Matrix& a, const Matrix& b, Output c, Into into);

  /// The same bits on this thread alone. @thread from within a body, with its `worker`.
  void multiply_alone(std::size_t worker, const Matrix& a, const Matrix& b, Output c, Into into);

 private:
  struct Scratch {
    std::vector<float> a, b;  // blocks in the kernel's order
  };
  struct Block;
  void multiply_block(const Block& block, Scratch& scratch, Team* team);
  void multiply_blocks(const Matrix& a, const Matrix& b, Output c, Into into, Scratch& scratch,
                       Team* team);

  Team& team_;
  const TileKernel& kernel_;
  Scratch shared_;
  std::vector<Scratch> own_;  // [threads]
};

}  // namespace loam::train
