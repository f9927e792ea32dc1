// softmax over rows: src/kernels/softmax.ts, with exponentials of more lanes at a time and its order of summation.

#pragma once

#include "elementary.h"

namespace weightroom {
namespace {

template <class Lanes>
struct Softmax : Elementary<Lanes> {
  using E = Elementary<Lanes>;
  using Floats = typename E::Floats;
  typedef double Sums __attribute__((vector_size(32)));

  /** `count` elements from p on, minus infinity past them. */
  static WEIGHTROOM_INLINE Floats load(const float* p, Index count) {
    if (count >= Lanes::width) return (Floats)Lanes::load(p);
    float lanes[Lanes::width];
    for (Index i = 0; i < Lanes::width; i++) lanes[i] = i < count ? p[i] : -__builtin_inff();
    return (Floats)Lanes::load(lanes);
  }

  static WEIGHTROOM_INLINE float largest(const float* x, Index d) {
    Floats m = E::splat(-__builtin_inff());
    for (Index i = 0; i < d; i += Lanes::width) m = E::pmax(m, load(x + i, d - i));
    float most = m[0];
    for (int l = 1; l < Lanes::width; l++) most = most < m[l] ? m[l] : most;
    return most;
  }

  /** Four sums, of the elements 4 i + l each. */
  static WEIGHTROOM_INLINE void add(Sums& sums, Floats e) {
    float lanes[Lanes::width];
    Lanes::store(lanes, (typename Lanes::Vector)e);
    WEIGHTROOM_UNROLL
    for (int l = 0; l < Lanes::width; l += 4) {
      sums += Sums{lanes[l], lanes[l + 1], lanes[l + 2], lanes[l + 3]};
    }
  }

  static void row(const float* x, float* y, Index d) {
    const Floats most = E::splat(largest(x, d));
    Sums sums = {};
    for (Index i = 0; i < d; i += Lanes::width) {
      const Floats e = E::exp(load(x + i, d - i) - most);
      add(sums, e);
      E::store(y + i, e, d - i);
    }
    const Floats sum = E::splat(static_cast<float>((sums[0] + sums[2]) + (sums[1] + sums[3])));
    for (Index i = 0; i < d; i += Lanes::width) E::store(y + i, E::load(y + i, d - i) / sum, d - i);
  }
};

template <class Lanes>
void softmaxRows(const float* x, float* y, Index rows, Index d) {
  for (Index r = 0; r < rows; r++) Softmax<Lanes>::row(x + r * d, y + r * d, d);
}

}  // namespace
}  // namespace weightroom
