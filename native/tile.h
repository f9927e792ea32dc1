// The tile: rows of the left operand times vectors of columns of the right one, held in registers.
// `Lanes` is an instruction set's vector. Everything is inlined into a loop of its own for each height and width.
// What engines include stands in unnamed namespaces: the linker keeps one of several copies of an inline function, and
// one compiled for AVX-512 would end the process where there is none.

#pragma once

#include "engine.h"

#define WEIGHTROOM_INLINE inline __attribute__((always_inline))
#define WEIGHTROOM_UNROLL _Pragma("GCC unroll 16")

namespace weightroom {
namespace {

/**
 * Rows of the left operand are copied side by side, in pieces of kDepth columns, at a fixed distance: a tile then needs
 * one address for them instead of one each, and rows that lie a power of two apart do not evict each other from the
 * cache. With this 12 × 32 runs at 0.98 of the fused peak, without it at 0.65.
 */
constexpr Index kDepth = 256;
constexpr Index kLeftRow = kDepth + 16;

/** left[piece][r] = x[r][kDepth · piece ...]; x's rows are `row` apart, pieces `height` rows. */
static inline void gatherRows(const float* x, Index row, Index rows, Index depth, Index height, float* left) {
  for (; depth > 0; depth -= kDepth, x += kDepth, left += height * kLeftRow) {
    const Index columns = depth < kDepth ? depth : kDepth;
    for (Index r = 0; r < rows; r++) __builtin_memcpy(left + r * kLeftRow, x + r * row, columns * sizeof(float));
  }
}

template <class Lanes, int rows, int vectors>
using Tile = typename Lanes::Vector[rows][vectors];

/**
 * tile[r][v] = fma(left[r][k], right(k, v), tile[r][v]) for k = 0 ... depth - 1, one chain for each output.
 * right(k, v): the address of vector v of row k. Pieces of `left` are `piece` elements apart.
 */
template <class Lanes, int rows, int vectors, class Right>
WEIGHTROOM_INLINE void multiply(Tile<Lanes, rows, vectors>& tile, const float* left, Index piece, Index depth,
                                Right right) {
  const auto step = [&](Index k) __attribute__((always_inline)) {
    typename Lanes::Vector b[vectors];
    WEIGHTROOM_UNROLL
    for (int v = 0; v < vectors; v++) b[v] = Lanes::load(right(k, v));
    WEIGHTROOM_UNROLL
    for (int r = 0; r < rows; r++) {
      const auto a = Lanes::splat(left[r * kLeftRow]);
      WEIGHTROOM_UNROLL
      for (int v = 0; v < vectors; v++) tile[r][v] = Lanes::fma(a, b[v], tile[r][v]);
    }
    left++;
  };
  for (Index k0 = 0; k0 < depth; k0 += kDepth, left += piece - kDepth) {
    const Index end = depth - k0 < kDepth ? depth : k0 + kDepth;
    Index k = k0;
    // One row does little at a step: four in a row read a twentieth more.
    if constexpr (rows == 1) {
      for (; k + 4 <= end; k += 4) {
        WEIGHTROOM_UNROLL
        for (int s = 0; s < 4; s++) step(k + s);
      }
    }
    for (; k < end; k++) step(k);
  }
}

/** max(x, 0); NaN and -0 are kept, as the `relu` kernel keeps them. */
template <class Lanes, int rows, int vectors>
WEIGHTROOM_INLINE void rectify(Tile<Lanes, rows, vectors>& tile) {
  WEIGHTROOM_UNROLL
  for (int r = 0; r < rows; r++) {
    WEIGHTROOM_UNROLL
    for (int v = 0; v < vectors; v++) tile[r][v] = Lanes::rectified(tile[r][v]);
  }
}

/** How `total` rows are dealt into tiles: of nearly the same height, the higher ones first, so that none has one row. */
class Tiling {
 public:
  Tiling(Index total, Index highest) : total_(total), count_((total + highest - 1) / highest) {}
  Index count() const { return count_; }
  /** The first row of tile t; begin(count()) is the total. */
  Index begin(Index t) const { return t * (total_ / count_) + least(t, total_ % count_); }
  Index rows(Index t) const { return begin(t + 1) - begin(t); }

 private:
  static Index least(Index a, Index b) { return a < b ? a : b; }
  Index total_, count_;
};

/** The panels' worth of columns that a tile of so many rows takes: few rows need more columns to hide fma's latency. */
template <class Lanes>
constexpr int widthFor(Index rows) {
  return rows == 1 ? Lanes::panelsOfOne : rows <= Lanes::fewRows ? Lanes::panelsOfFew : Lanes::panels;
}

/** The widest of the tile's widths that `left` panels still fill, or 1. */
template <class Lanes>
WEIGHTROOM_INLINE Index widthWithin(Index widest, Index left) {
  if (left >= widest) return widest;
  return left >= Lanes::panels && Lanes::panels < widest ? Lanes::panels : 1;
}

/** Shape<rows, panels>::run for a height and a width known at run time. */
template <class Lanes, template <class, int, int> class Shape, class Call, int rows = Lanes::tileRows>
WEIGHTROOM_INLINE void runTile(Index height, Index width, const Call& call) {
  if constexpr (rows > 0) {
    if (height != rows) return runTile<Lanes, Shape, Call, rows - 1>(height, width, call);
    if constexpr (widthFor<Lanes>(rows) > Lanes::panels) {
      if (width == widthFor<Lanes>(rows)) return Shape<Lanes, rows, widthFor<Lanes>(rows)>::run(call);
    }
    if constexpr (rows == 1 && Lanes::panelsOfOneFar < Lanes::panelsOfOne) {
      if (width == Lanes::panelsOfOneFar) return Shape<Lanes, rows, Lanes::panelsOfOneFar>::run(call);
    }
    if constexpr (Lanes::panels > 1) {
      if (width == Lanes::panels) return Shape<Lanes, rows, Lanes::panels>::run(call);
    }
    Shape<Lanes, rows, 1>::run(call);
  }
}

}  // namespace
}  // namespace weightroom
