// All steps of a recurrent layer for some rows: src/kernels/recurrence.ts, with the product of this engine.

#pragma once

#include "elementary.h"
#include "linear.h"

namespace weightroom {
namespace {

/** A cell applied to one row of the gates: x and hg, both of so many gates of n; h and y are the new state. */
template <class Lanes>
struct Cells : Elementary<Lanes> {
  using E = Elementary<Lanes>;
  using Floats = typename E::Floats;

  static WEIGHTROOM_INLINE Floats sum(const float* x, const float* hg, Index i, Index left) {
    return E::load(x + i, left) + E::load(hg + i, left);
  }

  template <bool relu>
  static void rnn(const float* x, const float* hg, float*, float* h, float* y, Index n) {
    for (Index i = 0; i < n; i += Lanes::width) {
      const Floats v = sum(x, hg, i, n - i);
      const Floats state = relu ? E::pmax(v, E::splat(0)) : E::tanh(v);
      E::store(h + i, state, n - i);
      E::store(y + i, state, n - i);
    }
  }

  static void lstm(const float* x, const float* hg, float* c, float* h, float* y, Index n) {
    for (Index i = 0; i < n; i += Lanes::width) {
      const Index left = n - i;
      const Floats input = E::sigmoid(sum(x, hg, i, left));
      const Floats forget = E::sigmoid(sum(x + n, hg + n, i, left));
      const Floats cell = E::tanh(sum(x + 2 * n, hg + 2 * n, i, left));
      const Floats output = E::sigmoid(sum(x + 3 * n, hg + 3 * n, i, left));
      const Floats next = forget * E::load(c + i, left) + input * cell;
      E::store(c + i, next, left);
      const Floats state = output * E::tanh(next);
      E::store(h + i, state, left);
      E::store(y + i, state, left);
    }
  }

  static void gru(const float* x, const float* hg, float*, float* h, float* y, Index n) {
    for (Index i = 0; i < n; i += Lanes::width) {
      const Index left = n - i;
      const Floats reset = E::sigmoid(sum(x, hg, i, left));
      const Floats update = E::sigmoid(sum(x + n, hg + n, i, left));
      const Floats fresh = E::tanh(E::load(x + 2 * n + i, left) + reset * E::load(hg + 2 * n + i, left));
      const Floats state = (E::load(h + i, left) - fresh) * update + fresh;
      E::store(h + i, state, left);
      E::store(y + i, state, left);
    }
  }
};

template <class Lanes>
void recurrence(const RecurrenceCall& call) {
  using Cell = void (*)(const float*, const float*, float*, float*, float*, Index);
  constexpr Cell cells[] = {Cells<Lanes>::template rnn<false>, Cells<Lanes>::template rnn<true>, Cells<Lanes>::lstm,
                            Cells<Lanes>::gru};
  constexpr Index gates[] = {1, 1, 4, 3};
  const Cell cell = cells[call.cell];
  const auto [x, panels, bias, scratch, y, which, rows, stride, stepStride, steps, n, reverse] = call;
  const Index width = gates[which] * n;
  float* const h = scratch;
  float* const c = h + rows * n;
  float* const hg = c + rows * n;
  __builtin_memset(h, 0, 2 * rows * n * sizeof(float));
  LinearCall product{h, panels, bias, hg, rows, width, width, n, false};
  for (Index t = 0; t < steps; t++) {
    linear<Lanes>(product);
    const Index first = (reverse ? steps - 1 - t : t) * stepStride;
    for (Index r = 0; r < rows; r++) {
      const Index at = first + r * stride;
      cell(x + at * width, hg + r * width, c + r * n, h + r * n, y + at * n, n);
    }
  }
}

}  // namespace
}  // namespace weightroom
