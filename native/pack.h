// Panels of 16 rows of a weight, transposed, so that a step of k finds the 16 beside each other.

#pragma once

#include "tile.h"

namespace weightroom {
namespace {

using Four = float __attribute__((vector_size(16)));

#if defined(__clang__)
#define WEIGHTROOM_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
using FourIndices = int __attribute__((vector_size(16)));
#define WEIGHTROOM_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, FourIndices{__VA_ARGS__})
#endif

/** panel[i][0 ... 3] = w[0 ... 3][i] for i < depth; w's rows are `row` apart. */
WEIGHTROOM_INLINE static void transposeFour(const float* w, Index row, Index depth, float* panel) {
  Index i = 0;
  for (; i + 4 <= depth; i += 4) {
    Four r[4];
    WEIGHTROOM_UNROLL
    for (int l = 0; l < 4; l++) __builtin_memcpy(&r[l], w + l * row + i, sizeof(Four));
    const Four low01 = WEIGHTROOM_SHUFFLE(r[0], r[1], 0, 4, 1, 5), low23 = WEIGHTROOM_SHUFFLE(r[2], r[3], 0, 4, 1, 5);
    const Four high01 = WEIGHTROOM_SHUFFLE(r[0], r[1], 2, 6, 3, 7), high23 = WEIGHTROOM_SHUFFLE(r[2], r[3], 2, 6, 3, 7);
    const Four columns[4] = {
        WEIGHTROOM_SHUFFLE(low01, low23, 0, 1, 4, 5), WEIGHTROOM_SHUFFLE(low01, low23, 2, 3, 6, 7),
        WEIGHTROOM_SHUFFLE(high01, high23, 0, 1, 4, 5), WEIGHTROOM_SHUFFLE(high01, high23, 2, 3, 6, 7)};
    WEIGHTROOM_UNROLL
    for (int s = 0; s < 4; s++) __builtin_memcpy(panel + (i + s) * kPanel, &columns[s], sizeof(Four));
  }
  for (; i < depth; i++) {
    for (int l = 0; l < 4; l++) panel[i * kPanel + l] = w[l * row + i];
  }
}

/** So many steps of k at a time: their panel stays in the first-level cache until all 16 rows are in it. */
constexpr Index kPackDepth = 128;

/** panels[ceil(n / 16)][k][16]: panel j, row i, lane l holds w[16 j + l][i], and 0 where w has no such row. */
template <class Lanes>
void pack(const float* w, float* panels, Index n, Index k) {
  for (Index j = 0; j < n; j += kPanel) {
    const Index rows = n - j < kPanel ? n - j : kPanel;
    for (Index i0 = 0; i0 < k; i0 += kPackDepth) {
      const Index depth = k - i0 < kPackDepth ? k - i0 : kPackDepth;
      const float* const from = w + j * k + i0;
      Index l = 0;
      for (; l + 4 <= rows; l += 4) transposeFour(from + l * k, k, depth, panels + l);
      for (; l < kPanel; l++) {
        for (Index i = 0; i < depth; i++) panels[i * kPanel + l] = l < rows ? from[l * k + i] : 0;
      }
      panels += depth * kPanel;
    }
  }
}

}  // namespace
}  // namespace weightroom
