// AVX-512: a panel is one vector of 16; 12 rows × 2 panels fill 24 of the 32 registers.

#include <immintrin.h>

#include "conv.h"
#include "linear.h"
#include "pack.h"
#include "recurrence.h"
#include "softmax.h"

namespace weightroom {
namespace {

struct Lanes {
  using Vector = __m512;
  static constexpr int width = 16;
  static constexpr int tileRows = 12, panels = 2;
  static constexpr int fewRows = 6, panelsOfFew = 4, panelsOfOne = 8, panelsOfOneFar = 4, panelsOfFewFar = 2;

  static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  static Vector splat(float a) { return _mm512_set1_ps(a); }
  static Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  // maxps answers its second operand where one is NaN or both are 0.
  static Vector rectified(Vector v) { return _mm512_max_ps(_mm512_setzero_ps(), v); }

  static Vector loadSome(const float* p, int count) { return _mm512_maskz_loadu_ps(first(count), p); }
  static void storeSome(float* p, Vector v, int count) { _mm512_mask_storeu_ps(p, first(count), v); }
  static void storeMasked(float* p, Vector v, unsigned mask) {
    const auto lanes = static_cast<__mmask16>(mask);
    _mm512_mask_storeu_ps(p, first(__builtin_popcount(mask)), _mm512_maskz_compress_ps(lanes, v));
  }

 private:
  static __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1); }
};

bool runsHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

}  // namespace

extern const Engine kAvx512 = {
    "avx512", runsHere, pack<Lanes>, linear<Lanes>, conv<Lanes>, convScratch<Lanes>, recurrence<Lanes>, softmaxRows<Lanes>,
};

}  // namespace weightroom
