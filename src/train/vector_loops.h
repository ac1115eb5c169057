// The loops over rows of numbers that a compiler cannot make fast and repeatable by itself: sums,
// and what needs exp. Eight lanes and a fixed order, so the bits do not depend on the registers.
//
// On x86-64 these need AVX2, the floor of the engine (engine/cpu_class.h says so to the user).
#pragma once

#include <cstddef>

namespace loam::train {

float dot(const float* a, const float* b, std::size_t n);
/// The sum of a[i] b[i] c[i].
float dot(const float* a, const float* b, const float* c, std::size_t n);

/// to += from.
void add(float* to, const float* from, std::size_t n);
void scale(float* x, float factor, std::size_t n);

struct Exponentials {
  float max;   // of what was there
  double sum;  // of what is there now, at least about 1
};

/// Replaces x by exp(x - its largest), relative error below 3e-7; what lies 87 below counts as
/// that. n is at least 1.
Exponentials replace_by_exponentials(float* x, std::size_t n);

/// y = x factor weight, number by number.
void scale_by(const float* x, float factor, const float* weight, float* y, std::size_t n);
/// to += factor x weight - slope y.
void add_scaled_difference(float* to, const float* x, const float* weight, float factor,
                           const float* y, float slope, std::size_t n);

/// out = silu(gate) up, where silu(x) = x / (1 + exp(-x)).
void gated_product(const float* gate, const float* up, float* out, std::size_t n);
/// From the gradient of the product those of `gate` and `up`, which may take the place of anything.
void gated_product_gradient(const float* gate, const float* up, const float* out_gradient,
                            float* gate_gradient, float* up_gradient, std::size_t n);

}  // namespace loam::train
