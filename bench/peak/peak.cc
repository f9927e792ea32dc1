// The machine's own limits on one thread, as one line of JSON: fused multiply-adds per width from registers alone (GF/s),
// and reading 64 MiB (GB/s). argv[1]: seconds for each.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

static double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/** The best of as many runs as fit. */
template <class Run>
static double best(double seconds, double work, Run run) {
  double most = 0;
  const double end = now() + seconds;
  do {
    const double start = now();
    run();
    const double rate = work / (now() - start);
    if (rate > most) most = rate;
  } while (now() < end);
  return most / 1e9;
}

static volatile float sink;
constexpr long kSteps = 200'000;
constexpr long kBytes = 64L << 20;

#if defined(__x86_64__)
#include <immintrin.h>

#define FUSED_LOOP(NAME, TARGET, VECTOR, CHAINS, SET, FMA)                          \
  __attribute__((target(TARGET), noinline)) static void NAME() {                    \
    VECTOR chain[CHAINS];                                                           \
    const VECTOR a = SET(.999f);                                                    \
    for (int i = 0; i < CHAINS; i++) chain[i] = SET(i);                             \
    for (long k = 0; k < kSteps; k++) {                                             \
      _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++) chain[i] = FMA(chain[i], a, a); \
    }                                                                               \
    float sum = 0;                                                                  \
    for (int i = 0; i < CHAINS; i++) sum += chain[i][0];                            \
    sink = sum;                                                                     \
  }

FUSED_LOOP(fused128, "avx2,fma", __m128, 12, _mm_set1_ps, _mm_fmadd_ps)
FUSED_LOOP(fused256, "avx2,fma", __m256, 12, _mm256_set1_ps, _mm256_fmadd_ps)
FUSED_LOOP(fused512, "avx512f", __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)

__attribute__((target("avx512f"), noinline)) static void read512(const float* p) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  for (long i = 0; i < kBytes / 4; i += 64) {
    s0 = _mm512_add_ps(s0, _mm512_loadu_ps(p + i));
    s1 = _mm512_add_ps(s1, _mm512_loadu_ps(p + i + 16));
    s2 = _mm512_add_ps(s2, _mm512_loadu_ps(p + i + 32));
    s3 = _mm512_add_ps(s3, _mm512_loadu_ps(p + i + 48));
  }
  sink = _mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3))[0];
}
#endif

/** With vectors of the baseline. */
static void readPlain(const float* p) {
  typedef float Four __attribute__((vector_size(16)));
  Four s[8] = {};
  for (long i = 0; i < kBytes / 4; i += 32) {
    for (int v = 0; v < 8; v++) s[v] += *reinterpret_cast<const Four*>(p + i + 4 * v);
  }
  sink = (s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7])[0];
}

int main(int, char** argv) {
  const double seconds = atof(argv[1]);
  float* const memory = static_cast<float*>(aligned_alloc(4096, kBytes));
  memset(memory, 1, kBytes);
  double read = best(seconds, kBytes, [=] { readPlain(memory); });
  double peak128 = 0, peak256 = 0, peak512 = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("fma")) {
    peak128 = best(seconds, 2.0 * 4 * 12 * kSteps, fused128);
    peak256 = best(seconds, 2.0 * 8 * 12 * kSteps, fused256);
  }
  if (__builtin_cpu_supports("avx512f")) {
    peak512 = best(seconds, 2.0 * 16 * 16 * kSteps, fused512);
    const double wide = best(seconds, kBytes, [=] { read512(memory); });
    if (wide > read) read = wide;
  }
#elif defined(__aarch64__)
  peak128 = best(seconds, 2.0 * 4 * 24 * kSteps, [] {
    typedef float Four __attribute__((vector_size(16)));
    Four chain[24] = {};
    const Four a = {.999f, .999f, .999f, .999f};
    for (long k = 0; k < kSteps; k++) {
#pragma GCC unroll 24
      for (int i = 0; i < 24; i++) chain[i] = chain[i] * a + a;
    }
    for (int i = 0; i < 24; i++) sink = chain[i][0];
  });
#endif
  printf("{\"read\":%.2f,\"fused128\":%.2f,\"fused256\":%.2f,\"fused512\":%.2f}\n", read, peak128, peak256, peak512);
}
