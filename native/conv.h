// Cross-correlation without im2col. The image is copied once, padded, into a field in which the inputs of neighbouring
// outputs are neighbours for every element of the kernel: then the right operand's row k is the field, shifted.
// With strides, each residue of the rows and of the columns has a field of its own.

#pragma once

#include "tile.h"

namespace weightroom {

/** Where the lanes of a vector of outputs belong: those of `mask`, in order, from element `at` of the plane on. */
struct Landing {
  int at;
  unsigned mask;
};

/** The field of a band of output rows, and where in the scratch everything stands. */
class Field {
 public:
  Field(const ConvShape& s, int width, Index tileRows)
      : shape(s), channels(s.channels / s.groups), depth(channels * s.kernelH * s.kernelW), width_(width) {
    const Index reachH = (s.kernelH - 1) * s.dilationH, reachW = (s.kernelW - 1) * s.dilationW;
    phasesH = reachH + 1 < s.strideH ? reachH + 1 : s.strideH;
    phasesW = reachW + 1 < s.strideW ? reachW + 1 : s.strideW;
    haloH_ = reachH / s.strideH;
    wide = s.outW + reachW / s.strideW;
    const Index rowBytes = channels * phasesH * phasesW * wide * static_cast<Index>(sizeof(float));
    Index rows = kBandBytes / (rowBytes > 0 ? rowBytes : 1) - haloH_;
    if (rows < 1) rows = 1;
    const Index bands = (s.outH + rows - 1) / rows;
    bandRows = bands > 0 ? (s.outH + bands - 1) / bands : 0;
    plane = (bandRows + haloH_) * wide;
    left_ = aligned(depth * sizeof(int));
    landings_ = left_ + aligned((depth + kDepth - 1) / kDepth * tileRows * kLeftRow * sizeof(float));
    field_ = landings_ + aligned((bandRows * wide / width_ + 1) * sizeof(Landing));
    bytes = field_ + aligned((channels * phasesH * phasesW * plane + kOverread) * sizeof(float));
  }

  int* offsets(void* scratch) const { return reinterpret_cast<int*>(scratch); }
  float* left(void* scratch) const { return at<float>(scratch, left_); }
  Landing* landings(void* scratch) const { return at<Landing>(scratch, landings_); }
  float* field(void* scratch) const { return at<float>(scratch, field_); }

  /** Positions of a band, from the first output to the last: rows are `wide`, of which `outW` are outputs. */
  Index positions(Index rows) const { return (rows - 1) * wide + shape.outW; }

  /** offsets[k]: how far element k of the kernel (channel, row, column) stands from the output's own position. */
  void placeKernel(int* offsets) const {
    for (Index c = 0; c < channels; c++) {
      for (Index ky = 0; ky < shape.kernelH; ky++) {
        for (Index kx = 0; kx < shape.kernelW; kx++) {
          const Index y = ky * shape.dilationH, x = kx * shape.dilationW;
          const Index image = (c * phasesH + y % shape.strideH) * phasesW + x % shape.strideW;
          *offsets++ = static_cast<int>(image * plane + y / shape.strideH * wide + x / shape.strideW);
        }
      }
    }
  }

  void placeOutputs(Index rows, Landing* landings) const {
    Index row = 0, column = 0;
    for (Index p = 0; p < positions(rows); p += width_) {
      Landing landing{static_cast<int>(row * shape.outW + (column < shape.outW ? column : shape.outW)), 0};
      for (int lane = 0; lane < width_; lane++) {
        if (row < rows && column < shape.outW) landing.mask |= 1u << lane;
        if (++column == wide) column = 0, row++;
      }
      *landings++ = landing;
    }
  }

  /** The part of one group's channels that output rows first ... first + rows - 1 see. */
  void fill(const float* x, Index first, Index rows, float* field) const {
    const ConvShape& s = shape;
    for (Index c = 0; c < channels; c++, x += s.h * s.w) {
      for (Index py = 0; py < phasesH; py++) {
        for (Index px = 0; px < phasesW; px++, field += plane) {
          for (Index r = 0; r < rows + haloH_; r++) {
            const Index iy = (first + r) * s.strideH + py - s.top;
            float* const to = field + r * wide;
            if (iy < 0 || iy >= s.h) __builtin_memset(to, 0, wide * sizeof(float));
            else fillRow(x + iy * s.w, px - s.left, to);
          }
        }
      }
    }
  }

  const ConvShape shape;
  const Index channels, depth;
  Index phasesH, phasesW;
  Index wide, bandRows, plane;
  std::size_t bytes;

 private:
  /** A band fits into the second-level cache beside the weights. */
  static constexpr Index kBandBytes = 256 << 10;
  /** Elements that the last tile may read past the last position. */
  static constexpr Index kOverread = 16 * kPanel;

  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) & ~std::size_t{63}; }
  template <class T>
  static T* at(void* scratch, std::size_t offset) {
    return reinterpret_cast<T*>(static_cast<char*>(scratch) + offset);
  }

  /** to[i] = row[first + i · strideW] for i < wide, zeros outside the image. */
  void fillRow(const float* row, Index first, float* to) const {
    const Index stride = shape.strideW;
    Index begin = first < 0 ? (-first + stride - 1) / stride : 0;
    Index end = first < shape.w ? (shape.w - first + stride - 1) / stride : 0;
    if (end > wide) end = wide;
    if (begin > end) begin = end;
    __builtin_memset(to, 0, begin * sizeof(float));
    if (stride == 1) __builtin_memcpy(to + begin, row + first + begin, (end - begin) * sizeof(float));
    else for (Index i = begin; i < end; i++) to[i] = row[first + i * stride];
    __builtin_memset(to + end, 0, (wide - end) * sizeof(float));
  }

  const int width_;
  Index haloH_;
  std::size_t left_, landings_, field_;
};

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

template <class Lanes>
std::size_t convScratch(const ConvShape& shape) {
  return Field(shape, Lanes::width, Lanes::tileRows).bytes;
}

/** One band of one group of one image, whose field is filled: the weight's rows, a tile's height at a time. */
template <class Lanes>
void convBand(const Field& field, const ConvTileCall& band, const float* weight, Index outputs, Index rows, float* left) {
  const Tiling tiling(outputs, Lanes::tileRows);
  const Index widest = widthFor<Lanes>(tiling.rows(0));
  const Index positions = field.positions(rows);
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

template <class Lanes>
void conv(const ConvCall& call) {
  const Field field(call.shape, Lanes::width, Lanes::tileRows);
  const ConvShape& shape = field.shape;
  const Index outputs = call.outputs / shape.groups;
  const Index plane = shape.outH * shape.outW;
  if (call.batch == 0 || outputs == 0 || plane == 0) return;
  ConvTileCall tile;
  tile.left = field.left(call.scratch);
  tile.field = field.field(call.scratch);
  tile.offsets = field.offsets(call.scratch);
  tile.depth = field.depth;
  tile.yRow = plane;
  tile.landings = field.landings(call.scratch);
  tile.relu = call.relu;
  field.placeKernel(field.offsets(call.scratch));
  Index placed = 0;
  for (Index image = 0; image < call.batch; image++) {
    for (Index group = 0; group < shape.groups; group++) {
      const float* const x = call.x + (image * shape.groups + group) * field.channels * shape.h * shape.w;
      float* const y = call.y + (image * shape.groups + group) * outputs * plane;
      tile.bias = call.bias ? call.bias + group * outputs : nullptr;
      for (Index first = 0; first < shape.outH; first += field.bandRows) {
        const Index rows = shape.outH - first < field.bandRows ? shape.outH - first : field.bandRows;
        if (rows != placed) field.placeOutputs(placed = rows, field.landings(call.scratch));
        field.fill(x, first, rows, field.field(call.scratch));
        tile.y = y + first * shape.outW;
        convBand<Lanes>(field, tile, call.weight + group * outputs * field.depth, outputs, rows, field.left(call.scratch));
      }
    }
  }
}

}  // namespace weightroom
