// Panels of 16 rows of a weight, transposed, so that a step of k finds the 16 beside each other.

#pragma once

#include "tile.h"

namespace weightroom {

/** panel[i][0 ... 3] = w[0 ... 3][i] for i < k. */
WEIGHTROOM_INLINE static void transposeFour(const float* w, Index k, float* panel) {
  using Four = float __attribute__((vector_size(16), aligned(4), may_alias));
  const auto at = [](const float* p) { return *reinterpret_cast<const Four*>(p); };
  Index i = 0;
  for (; i + 4 <= k; i += 4) {
    const Four a = at(w + i), b = at(w + k + i), c = at(w + 2 * k + i), d = at(w + 3 * k + i);
    WEIGHTROOM_UNROLL
    for (int s = 0; s < 4; s++) {
      *reinterpret_cast<Four*>(panel + (i + s) * kPanel) = Four{a[s], b[s], c[s], d[s]};
    }
  }
  for (; i < k; i++) {
    for (int l = 0; l < 4; l++) panel[i * kPanel + l] = w[l * k + i];
  }
}

/** panels[ceil(n / 16)][k][16]: panel j, row i, lane l holds w[16 j + l][i], and 0 where w has no such row. */
template <class Lanes>
void pack(const float* w, float* panels, Index n, Index k) {
  for (Index j = 0; j < n; j += kPanel, panels += kPanel * k) {
    const Index rows = n - j < kPanel ? n - j : kPanel;
    Index l = 0;
    for (; l + 4 <= rows; l += 4) transposeFour(w + (j + l) * k, k, panels + l);
    for (; l < kPanel; l++) {
      for (Index i = 0; i < k; i++) panels[i * kPanel + l] = l < rows ? w[(j + l) * k + i] : 0;
    }
  }
}

}  // namespace weightroom
