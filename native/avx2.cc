// AVX2 with FMA: a panel is two vectors of 8; 6 rows × 1 panel fill 12 of the 16 registers.

#include <immintrin.h>

#include "conv.h"
#include "linear.h"
#include "pack.h"
#include "recurrence.h"
#include "softmax.h"

namespace weightroom {
namespace {

struct Lanes {
  using Vector = __m256;
  static constexpr int width = 8;
  static constexpr int tileRows = 6, panels = 1;
  static constexpr int fewRows = 2, panelsOfFew = 2, panelsOfOne = 4, panelsOfOneFar = 4, panelsOfFewFar = 2;

  static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  static Vector splat(float a) { return _mm256_set1_ps(a); }
  static Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  // maxps answers its second operand where one is NaN or both are 0.
  static Vector rectified(Vector v) { return _mm256_max_ps(_mm256_setzero_ps(), v); }

  static Vector loadSome(const float* p, int count) { return _mm256_maskload_ps(p, first(count)); }
  static void storeSome(float* p, Vector v, int count) { _mm256_maskstore_ps(p, first(count), v); }
  static void storeMasked(float* p, Vector v, unsigned mask) {
    if (mask == 0xff) return store(p, v);
    float lanes[width];
    store(lanes, v);
    for (; mask; mask &= mask - 1) *p++ = lanes[__builtin_ctz(mask)];
  }

 private:
  static __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

bool runsHere() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

extern const Engine kAvx2 = {
    "avx2", runsHere, pack<Lanes>, linear<Lanes>, conv<Lanes>, convScratch<Lanes>, recurrence<Lanes>, softmaxRows<Lanes>,
};

}  // namespace weightroom
