// NEON on 64-bit ARM: a panel is four vectors of 4; 6 rows × 1 panel fill 24 of the 32 registers.

#include <arm_neon.h>

#include "conv.h"
#include "linear.h"
#include "pack.h"
#include "recurrence.h"
#include "softmax.h"

namespace weightroom {
namespace {

struct Lanes {
  using Vector = float32x4_t;
  static constexpr int width = 4;
  static constexpr int tileRows = 6, panels = 1;
  static constexpr int fewRows = 2, panelsOfFew = 2, panelsOfOne = 4, panelsOfOneFar = 4, panelsOfFewFar = 2;

  static Vector load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Vector v) { vst1q_f32(p, v); }
  static Vector splat(float a) { return vdupq_n_f32(a); }
  static Vector fma(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
  static Vector rectified(Vector v) { return vbslq_f32(vcltzq_f32(v), vdupq_n_f32(0), v); }

  static Vector loadSome(const float* p, int count) {
    float lanes[width] = {};
    for (int i = 0; i < count; i++) lanes[i] = p[i];
    return load(lanes);
  }
  static void storeSome(float* p, Vector v, int count) { storeMasked(p, v, (1u << count) - 1); }
  static void storeMasked(float* p, Vector v, unsigned mask) {
    if (mask == 0xf) return store(p, v);
    float lanes[width];
    store(lanes, v);
    for (; mask; mask &= mask - 1) *p++ = lanes[__builtin_ctz(mask)];
  }
};

bool runsHere() { return true; }

}  // namespace

extern const Engine kNeon = {
    "neon", runsHere, pack<Lanes>, linear<Lanes>, conv<Lanes>, convScratch<Lanes>, recurrence<Lanes>, softmaxRows<Lanes>,
};

}  // namespace weightroom
