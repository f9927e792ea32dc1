// exp, tanh and sigmoid of a vector: the operations of src/kernels/elementary.ts in its order, so that the bits are its.
// Plain multiplications and additions, never a fused one. Coefficients: Cephes (expf, tanhf).

#pragma once

#include "tile.h"

namespace weightroom {
namespace {

/** Vectors of the compiler's own kind, of as many lanes as the instruction set's. */
template <class Lanes>
struct Elementary {
  // With `using`, GCC forgets a size that depends on a template.
  typedef float Floats __attribute__((vector_size(Lanes::width * sizeof(float))));
  typedef std::int32_t Ints __attribute__((vector_size(Lanes::width * sizeof(float))));

  static WEIGHTROOM_INLINE Floats splat(float a) { return (Floats)Lanes::splat(a); }

  /** `count` elements from p on, zeros past them. */
  static WEIGHTROOM_INLINE Floats load(const float* p, Index count) {
    return count >= Lanes::width ? (Floats)Lanes::load(p) : (Floats)Lanes::loadSome(p, static_cast<int>(count));
  }
  static WEIGHTROOM_INLINE void store(float* p, Floats v, Index count) {
    if (count >= Lanes::width) Lanes::store(p, (typename Lanes::Vector)v);
    else Lanes::storeSome(p, (typename Lanes::Vector)v, static_cast<int>(count));
  }

  /** b where it is less; a NaN that comes first is kept. */
  static WEIGHTROOM_INLINE Floats pmin(Floats a, Floats b) { return b < a ? b : a; }
  static WEIGHTROOM_INLINE Floats pmax(Floats a, Floats b) { return a < b ? b : a; }

  static WEIGHTROOM_INLINE Floats exp(Floats x) {
    x = pmax(pmin(x, splat(89)), splat(-104));
    const Floats rounded = x * 1.44269504088896341f + kRounder;
    return scale(expm1Near0(remainder(x, rounded)) + 1.0f, rounded);
  }

  static WEIGHTROOM_INLINE Floats sigmoid(Floats x) { return 1.0f / (exp(-x) + 1.0f); }

  static WEIGHTROOM_INLINE Floats tanh(Floats x) {
    const Floats magnitude = (Floats)((Ints)x & 0x7fffffff);
    const Floats z = x * x;
    Floats p = splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z + -5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z + -3.33332819422e-1f;
    const Floats near = p * z * x + x;
    const Floats e = exp(magnitude + magnitude);
    const Floats far = 1.0f - 2.0f / (e + 1.0f);
    const Ints sign = (Ints)x & kSign;
    return (Floats)((Ints)(magnitude < 0.625f ? near : far) | sign);
  }

 private:
  /** Added to a float below 2^22, it leaves the nearest integer in the low bits. */
  static constexpr float kRounder = 12582912;
  static constexpr std::int32_t kSign = -0x7fffffff - 1;

  /** x - n · ln 2 */
  static WEIGHTROOM_INLINE Floats remainder(Floats x, Floats rounded) {
    const Floats n = rounded - kRounder;
    return x - n * 0.693359375f + n * 2.12194440e-4f;
  }

  /** exp(r) - 1 for |r| <= ln 2 / 2 */
  static WEIGHTROOM_INLINE Floats expm1Near0(Floats r) {
    Floats p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return r * r * p + r;
  }

  static WEIGHTROOM_INLINE Floats power2(Ints n) { return (Floats)((n + 127) << 23); }

  /** y · 2^n, in two steps. */
  static WEIGHTROOM_INLINE Floats scale(Floats y, Floats rounded) {
    const Ints n = (Ints)rounded - (Ints)splat(kRounder);
    const Ints half = n >> 1;
    return y * power2(half) * power2(n - half);
  }
};

}  // namespace
}  // namespace weightroom
