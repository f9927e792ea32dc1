// Cross-correlation: the rows of a tile are output channels, its columns are output positions, read from a field.

#pragma once

#include "dense.h"
#include "field.h"

namespace weightroom {
namespace {

/** One tile: rows are output channels, columns are positions. */
struct ConvTileCall {
  const float* left;
  const float* field;  // of the first position
  const int* offsets;
  Index depth;
  const float* bias;  // of the first output channel; null: zeros
  float* y;           // the band's first element of that channel
  Index yRow;
  const Landing* landings;
  Index vectors;  // that have positions
  bool relu;
};

template <class Lanes, int rows, int panels>
struct ConvTile {
  static constexpr int vectors = panels * kPanel / Lanes::width;

  __attribute__((noinline)) static void run(const ConvTileCall& call) {
    Tile<Lanes, rows, vectors> tile;
    WEIGHTROOM_UNROLL
    for (int r = 0; r < rows; r++) {
      const auto start = Lanes::splat(call.bias ? call.bias[r] : 0);
      WEIGHTROOM_UNROLL
      for (int v = 0; v < vectors; v++) tile[r][v] = start;
    }
    const float* const field = call.field;
    const int* const offsets = call.offsets;
    multiply<Lanes, rows, vectors>(tile, call.left, Lanes::tileRows * kLeftRow, call.depth, [=](Index k, int v) {
      return field + offsets[k] + v * Lanes::width;
    });
    if (call.relu) rectify<Lanes, rows, vectors>(tile);
    WEIGHTROOM_UNROLL
    for (int v = 0; v < vectors; v++) {
      if (v >= call.vectors) break;
      const Landing landing = call.landings[v];
      WEIGHTROOM_UNROLL
      for (int r = 0; r < rows; r++) {
        Lanes::storeMasked(call.y + r * call.yRow + landing.at, tile[r][v], landing.mask);
      }
    }
  }
};

/** With as many all lanes are in use: if their fields do not waste any, no fewer images' do. */
constexpr Index kManyImages = 16;

template <class Lanes>
std::size_t convScratch(const ConvShape& shape) {
  const Field field(shape, Lanes::width, Lanes::tileRows);
  if (!field.wastes(kManyImages)) return field.bytes;
  const std::size_t block = Block(field, field.afterLeft(), Lanes::tileRows).bytes;
  return block > field.bytes ? block : field.bytes;
}

/** One band of one group of one image, whose field is filled: the weight's rows, a tile's height at a time. */
template <class Lanes>
void convBand(const Field& field, const ConvTileCall& band, const float* weight, Index outputs, Index positions,
              float* left) {
  const Tiling tiling(outputs, Lanes::tileRows);
  const Index widest = widthFor<Lanes>(tiling.rows(0));
  for (Index t = 0; t < tiling.count(); t++) {
    const Index o = tiling.begin(t), height = tiling.rows(t);
    gatherRows(weight + o * field.depth, field.depth, height, field.depth, Lanes::tileRows, left);
    ConvTileCall tile = band;
    tile.bias = band.bias ? band.bias + o : nullptr;
    tile.y = band.y + o * band.yRow;
    for (Index p = 0, width; p < positions; p += width * kPanel) {
      width = widthWithin<Lanes>(widest, (positions - p + kPanel - 1) / kPanel);
      tile.field = band.field + p;
      tile.landings = band.landings + p / Lanes::width;
      tile.vectors = (positions - p + Lanes::width - 1) / Lanes::width;
      runTile<Lanes, ConvTile>(height, width, tile);
    }
  }
}

/** As many output channels fill the time that a block takes to copy. */
constexpr Index kDenseOutputs = 16;

/** Copies a tile's rows to where the positions from `first` on stand in y[images][..][plane]. */
static inline void spread(const float* made, Index row, Index rows, Index first, Index count, Index plane, float* y,
                          Index image) {
  for (Index done = 0; done < count;) {
    const Index at = (first + done) % plane;
    const Index run = plane - at < count - done ? plane - at : count - done;
    float* const to = y + (first + done) / plane * image + at;
    for (Index r = 0; r < rows; r++) __builtin_memcpy(to + r * plane, made + r * row + done, run * sizeof(float));
    done += run;
  }
}

/** All images of one group, a block of positions at a time. */
template <class Lanes>
void convDense(const ConvCall& call, const Field& field, Index group) {
  const ConvShape& shape = field.shape;
  const Block block(field, field.afterLeft(), Lanes::tileRows);
  const Index outputs = call.outputs / shape.groups, plane = shape.outH * shape.outW;
  const float* const x = call.x + group * field.channels * shape.h * shape.w;
  const float* const weight = call.weight + group * outputs * field.depth;
  float* const left = field.left(call.scratch);
  float* const made = block.made(call.scratch);
  block.placeRows(field.offsets(call.scratch));
  block.placeOutputs(Lanes::width, block.landings(call.scratch));
  ConvTileCall tile;
  tile.left = left;
  tile.offsets = field.offsets(call.scratch);
  tile.depth = field.depth;
  tile.yRow = block.columns;
  tile.relu = call.relu;
  const Tiling tiling(outputs, Lanes::tileRows);
  const Index widest = widthFor<Lanes>(tiling.rows(0));
  for (Index first = 0, all = call.batch * plane; first < all; first += block.columns) {
    const Index count = all - first < block.columns ? all - first : block.columns;
    block.fill(x, first, count, call.scratch);
    for (Index t = 0; t < tiling.count(); t++) {
      const Index o = tiling.begin(t), height = tiling.rows(t);
      gatherRows(weight + o * field.depth, field.depth, height, field.depth, Lanes::tileRows, left);
      tile.bias = call.bias ? call.bias + group * outputs + o : nullptr;
      for (Index p = 0, width; p < count; p += width * kPanel) {
        width = widthWithin<Lanes>(widest, (count - p + kPanel - 1) / kPanel);
        tile.field = block.rows(call.scratch) + p;
        tile.y = made;
        tile.landings = block.landings(call.scratch) + p / Lanes::width;
        tile.vectors = width * kPanel / Lanes::width;
        runTile<Lanes, ConvTile>(height, width, tile);
      }
      float* const y = call.y + (group * outputs + o) * plane;
      spread(made, block.columns, height, first, count, plane, y, call.outputs * plane);
    }
  }
}

template <class Lanes>
void conv(const ConvCall& call) {
  const Field field(call.shape, Lanes::width, Lanes::tileRows);
  const ConvShape& shape = field.shape;
  const Index outputs = call.outputs / shape.groups;
  const Index plane = shape.outH * shape.outW;
  if (call.batch == 0 || outputs == 0 || plane == 0) return;
  if (field.wastes(call.batch) && outputs >= kDenseOutputs) {
    for (Index group = 0; group < shape.groups; group++) convDense<Lanes>(call, field, group);
    return;
  }
  ConvTileCall tile;
  tile.left = field.left(call.scratch);
  tile.field = field.field(call.scratch);
  tile.offsets = field.offsets(call.scratch);
  tile.depth = field.depth;
  tile.yRow = plane;
  tile.landings = field.landings(call.scratch);
  tile.relu = call.relu;
  field.placeKernel(field.offsets(call.scratch));
  Band placed{0, 0, 0, 0};
  for (Index image = 0; image < call.batch; image++) {
    for (Index group = 0; group < shape.groups; group++) {
      const float* const x = call.x + (image * shape.groups + group) * field.channels * shape.h * shape.w;
      const float* const weight = call.weight + group * outputs * field.depth;
      float* const y = call.y + (image * shape.groups + group) * outputs * plane;
      tile.bias = call.bias ? call.bias + group * outputs : nullptr;
      field.bands([&](const Band& band) {
        if (band.rows != placed.rows || band.columns != placed.columns) {
          field.placeOutputs(band, field.landings(call.scratch));
          placed = band;
        }
        field.fill(x, band, field.field(call.scratch));
        tile.y = y + band.top * shape.outW + band.left;
        convBand<Lanes>(field, tile, weight, outputs, field.positions(band), field.left(call.scratch));
      });
    }
  }
}

}  // namespace
}  // namespace weightroom
