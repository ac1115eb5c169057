// exp, log, sin and cos of our own: those of C libraries differ from one another in the last bit,
// and a training run must be repeatable anywhere (DESIGN.md 8.12).
#pragma once

namespace loam::train {

/// e^x with a relative error below 1e-14; 0 below -700. Above 700: e^700. NaN of NaN.
double exponential(double x);

/// The natural logarithm of a normal number above 0, with a relative error below 1e-14 away from 1;
/// NaN of anything else.
double logarithm(double x);

struct SineCosine {
  double sine;
  double cosine;
};

/// Of an angle below a million either way; absolute error below 1e-14.
SineCosine sine_cosine(double angle);

}  // namespace loam::train
