// y[m, n] = act(x[m, k] · panels + bias): blocks over k, rows and panels around the tile.
// A block over k leaves its sums in y and the next goes on from there: the same chain as without blocks.

#pragma once

#include "tile.h"

namespace weightroom {
namespace {

/** One tile: `panels` and `y` are those of its first column, `from` too, where its chains start: bias or y. */
struct LinearTileCall {
  const float* left;
  Index leftPiece;
  const float* panels;
  Index panelStride;  // from one panel to the next
  Index ahead;        // from what is read to what is fetched meanwhile
  Index depth;
  const float* from;  // null: zeros
  Index fromRow;
  float* y;
  Index yRow;
  Index columns;
  bool relu;
};

/** The elements that a row of `columns` has from `first` on, at most a vector. */
template <class Lanes>
WEIGHTROOM_INLINE int lanesFrom(Index first, Index columns) {
  const Index count = columns - first;
  return static_cast<int>(count < 0 ? 0 : count < Lanes::width ? count : Lanes::width);
}

/** What is fetched so far ahead, 4 KiB, is there when a tile of several rows wants it: (8, 4096, 4096) gains a third. */
constexpr Index kAhead = 1024;
/** Of __builtin_prefetch: the first level is full of what is read now. */
constexpr int kIntoSecondLevel = 2;

template <class Lanes, int rows, int panels>
struct LinearTile {
  static constexpr int perPanel = kPanel / Lanes::width;
  static constexpr int vectors = panels * perPanel;

  __attribute__((noinline)) static void run(const LinearTileCall& call) {
    Tile<Lanes, rows, vectors> tile;
    const bool whole = call.columns >= panels * kPanel;
    if (!call.from) {
      start(tile, [](int, int) { return Lanes::splat(0); });
    } else if (whole) {
      start(tile, [&](int r, Index c) { return Lanes::load(call.from + r * call.fromRow + c); });
    } else {
      start(tile, [&](int r, Index c) {
        return Lanes::loadSome(call.from + r * call.fromRow + c, lanesFrom<Lanes>(c, call.columns));
      });
    }
    const float* const right = call.panels;
    const Index stride = call.panelStride, ahead = call.ahead;
    multiply<Lanes, rows, vectors>(tile, call.left, call.leftPiece, call.depth, [=](Index k, int v) {
      const float* const at = right + v / perPanel * stride + k * kPanel + v % perPanel * Lanes::width;
      // One row reads as fast as memory is; more compute too long at a step for the processor to look ahead enough.
      if (rows > 1) __builtin_prefetch(at + ahead, 0, kIntoSecondLevel);
      return at;
    });
    if (call.relu) rectify<Lanes, rows, vectors>(tile);
    WEIGHTROOM_UNROLL
    for (int r = 0; r < rows; r++) {
      WEIGHTROOM_UNROLL
      for (int v = 0; v < vectors; v++) {
        const Index c = v * Lanes::width;
        float* const to = call.y + r * call.yRow + c;
        if (whole) Lanes::store(to, tile[r][v]);
        else Lanes::storeSome(to, tile[r][v], lanesFrom<Lanes>(c, call.columns));
      }
    }
  }

 private:
  template <class From>
  WEIGHTROOM_INLINE static void start(Tile<Lanes, rows, vectors>& tile, From from) {
    WEIGHTROOM_UNROLL
    for (int r = 0; r < rows; r++) {
      WEIGHTROOM_UNROLL
      for (int v = 0; v < vectors; v++) tile[r][v] = from(r, v * Lanes::width);
    }
  }
};

/**
 * Weights that the second-level cache holds. From there eight panels at a time read 185 GB/s and four 143; from memory
 * four read 64 and eight 51 (one row, AVX-512).
 */
constexpr Index kNearBytes = 768 << 10;

/** So many tiles of rows meet a panel while it is in the first-level cache; their copies stand on the stack. */
constexpr Index kBlockTiles = 10;

template <class Lanes>
void linear(const LinearCall& call) {
  if (call.m == 0 || call.n == 0) return;
  const auto [x, panels, bias, y, m, ldy, n, k, relu] = call;
  const Tiling tiling(m, Lanes::tileRows);
  Index widest = widthFor<Lanes>(tiling.rows(0));
  const bool streams = n * k * static_cast<Index>(sizeof(float)) > kNearBytes;
  const Index far = m == 1 ? Lanes::panelsOfOneFar : Lanes::panelsOfFewFar;
  if (streams && widest > far) widest = far;
  // The rows of one tile leave room for longer pieces, so that weights stream past without a break. One row is read
  // where it is.
  const Index most = m == 1 ? k : tiling.count() == 1 ? kBlockTiles * kDepth : kDepth;
  const Tiling blocks(tiling.count(), kBlockTiles);
  alignas(64) float left[Lanes::tileRows * kBlockTiles * kLeftRow];
  for (Index block = 0; block < blocks.count(); block++) {
    const Index t0 = blocks.begin(block), t1 = blocks.begin(block + 1);
    const Index i0 = tiling.begin(t0);
    // All of k for one block before the next: its sums are still near when they are read again.
    Index k0 = 0;
    do {
      const Index depth = k - k0 < most ? k - k0 : most;
      const bool last = k0 + depth == k;
      if (m > 1) gatherRows(x + i0 * k + k0, k, tiling.begin(t1) - i0, depth, Lanes::tileRows, left);
      for (Index j = 0, width; j < n; j += width * kPanel) {
        width = widthWithin<Lanes>(widest, (n - j + kPanel - 1) / kPanel);
        for (Index t = t0; t < t1; t++) {
          const Index i = tiling.begin(t);
          LinearTileCall tile;
          tile.left = m > 1 ? left + (i - i0) * kLeftRow : x;
          tile.leftPiece = m > 1 ? Lanes::tileRows * kLeftRow : kDepth;
          tile.panels = panels + j * k + k0 * kPanel;
          tile.panelStride = k * kPanel;
          // The first tile brings its own panels, the second those that come next.
          tile.ahead = t == t0 + 1 ? width * k * kPanel : kAhead;
          tile.depth = depth;
          tile.y = y + i * ldy + j;
          tile.yRow = ldy;
          tile.from = k0 > 0 ? tile.y : bias ? bias + j : nullptr;
          tile.fromRow = k0 > 0 ? ldy : 0;
          tile.columns = n - j;
          tile.relu = relu && last;
          runTile<Lanes, LinearTile>(tiling.rows(t), width, tile);
        }
      }
      k0 += depth;
    } while (k0 < k);
  }
}

}  // namespace
}  // namespace weightroom
