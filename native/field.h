// The right operand of a convolution: for a band of outputs, a copy of what they see of the image, padded, in which the
// inputs of neighbouring outputs are neighbours for every element of the kernel. Row k of the operand is then the field,
// shifted by offsets[k]; there is no im2col. With strides, each residue of rows and columns has a plane of its own.
// Where dilation would make that larger, each row (or column) of the kernel has a plane of its own.
// Measured and left: planes by column always, so that no position between two rows is computed in vain (a tenth slower).

#pragma once

#include "tile.h"

namespace weightroom {
namespace {

/** Where the lanes of a vector of outputs belong: those of `mask`, in order, from element `at` on. */
struct Landing {
  int at;
  unsigned mask;
};

/** A rectangle of outputs. */
struct Band {
  Index top, left, rows, columns;
};

class Field {
 public:
  Field(const ConvShape& s, Index width, Index tileRows)
      : shape(s),
        channels(s.channels / s.groups),
        depth(channels * s.kernelH * s.kernelW),
        width_(width),
        rowAxis_(s.outH, s.kernelH, s.strideH, s.dilationH),
        columnAxis_(s.outW, s.kernelW, s.strideW, s.dilationW),
        haloH_(rowAxis_.halo),
        haloW_(columnAxis_.halo) {
    chooseBand();
    wide_ = columns_ + haloW_;
    plane_ = (rows_ + haloH_) * wide_;
    left_ = aligned(depth * sizeof(int));
    landings_ = left_ + aligned((depth + kDepth - 1) / kDepth * tileRows * kLeftRow * sizeof(float));
    field_ = landings_ + aligned((rows_ * wide_ / width_ + 1) * sizeof(Landing));
    bytes = field_ + aligned((static_cast<Index>(elements(rows_, columns_)) + kOverread) * sizeof(float));
  }

  /** Where the weight's rows end in the scratch memory. */
  std::size_t afterLeft() const { return landings_; }

  /**
   * So many images' positions side by side fill at most three fifths of the vectors that their fields take, which also
   * hold what stands between rows.
   */
  bool wastes(Index images) const {
    const Index used = images * shape.outH * shape.outW;
    const Index taken = images * vectorsOf(positions(Band{0, 0, shape.outH, shape.outW}));
    return rows_ == shape.outH && columns_ == shape.outW && vectorsOf(used) * 5 <= taken * 3;
  }

  int* offsets(void* scratch) const { return at<int>(scratch, 0); }
  /** Room for the weight's rows of one tile. */
  float* left(void* scratch) const { return at<float>(scratch, left_); }
  Landing* landings(void* scratch) const { return at<Landing>(scratch, landings_); }
  float* field(void* scratch) const { return at<float>(scratch, field_); }

  /** Calls `work` for each band of the outputs. */
  template <class Work>
  WEIGHTROOM_INLINE void bands(Work work) const {
    for (Index top = 0; top < shape.outH; top += rows_) {
      for (Index left = 0; left < shape.outW; left += columns_) {
        work(Band{top, left, least(rows_, shape.outH - top), least(columns_, shape.outW - left)});
      }
    }
  }

  /** Positions from a band's first output to its last, those between its rows included. */
  Index positions(const Band& band) const { return (band.rows - 1) * wide_ + band.columns; }

  /** offsets[k]: how far element k of the kernel (channel, row, column) stands from the output's own position. */
  void placeKernel(int* offsets) const {
    for (Index c = 0; c < channels; c++) {
      for (Index y = 0; y < shape.kernelH; y++) {
        for (Index x = 0; x < shape.kernelW; x++) {
          const Index image = (c * rowAxis_.planes + rowAxis_.plane(y)) * columnAxis_.planes + columnAxis_.plane(x);
          *offsets++ = static_cast<int>(image * plane_ + rowAxis_.shift(y) * wide_ + columnAxis_.shift(x));
        }
      }
    }
  }

  /** Where the outputs of each vector of positions belong, from the band's first output on. */
  void placeOutputs(const Band& band, Landing* landings) const {
    Index row = 0, column = 0;
    for (Index p = 0; p < positions(band); p += width_) {
      Landing landing{static_cast<int>(row * shape.outW + least(column, band.columns)), 0};
      for (Index lane = 0; lane < width_; lane++) {
        if (row < band.rows && column < band.columns) landing.mask |= 1u << lane;
        if (++column == wide_) column = 0, row++;
      }
      *landings++ = landing;
    }
  }

  /** The field of a band, from one group's channels. */
  void fill(const float* x, const Band& band, float* field) const {
    for (Index c = 0; c < channels; c++, x += shape.h * shape.w) {
      for (Index py = 0; py < rowAxis_.planes; py++) {
        for (Index px = 0; px < columnAxis_.planes; px++, field += plane_) {
          fillPlane(x, band, rowAxis_.begin(py), columnAxis_.begin(px), field);
        }
      }
    }
  }

  const ConvShape shape;
  const Index channels, depth;
  std::size_t bytes;

 private:
  /** One axis: its planes, and where in them an element of the kernel finds the first output's input. */
  struct Axis {
    Axis(Index outputs, Index kernel, Index strideOf, Index dilationOf) : stride(strideOf), dilation(dilationOf) {
      const Index reach = (kernel - 1) * dilation;
      planes = least(stride, reach + 1);
      halo = reach / stride;
      apart = static_cast<double>(planes) * (outputs + halo) > static_cast<double>(kernel) * outputs;
      if (apart) planes = kernel, halo = 0;
    }

    Index plane(Index element) const { return apart ? element : element * dilation % stride; }
    Index shift(Index element) const { return apart ? 0 : element * dilation / stride; }
    /** How far the plane's first input is from the first output's corner. */
    Index begin(Index plane) const { return apart ? plane * dilation : plane; }

    Index stride, dilation, planes, halo;
    bool apart;  // a plane for each element of the kernel
  };

  /** A field fits into the second-level cache beside the weights. */
  static constexpr Index kBandElements = 64 << 10;
  /** Positions of a row's part: the widest tile. */
  static constexpr Index kPart = 8 * kPanel;
  /** What the last tile may read past the last position. */
  static constexpr Index kOverread = 16 * kPanel;

  static Index least(Index a, Index b) { return a < b ? a : b; }
  static Index vectorsOf(Index positions) { return (positions + kPanel - 1) / kPanel; }
  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) & ~std::size_t{63}; }
  template <class T>
  static T* at(void* scratch, std::size_t offset) {
    return reinterpret_cast<T*>(static_cast<char*>(scratch) + offset);
  }

  /** Elements of the field of so many outputs; in float64, for they may be more than integers hold. */
  double elements(Index rows, Index columns) const {
    const double planes = static_cast<double>(channels) * rowAxis_.planes * columnAxis_.planes;
    return planes * (rows + haloH_) * (columns + haloW_);
  }

  /** As many rows as fit, at least one; where one does not fit, a part of it. Bands are of nearly the same size. */
  void chooseBand() {
    rows_ = shape.outH, columns_ = shape.outW;
    while (rows_ > 1 && elements(rows_, columns_) > kBandElements) rows_ = (rows_ + 1) / 2;
    while (rows_ == 1 && columns_ > kPart && elements(1, columns_) > kBandElements) columns_ = (columns_ + 1) / 2;
  }

  /** One plane: what stands (y, x) away from the corners of the band's outputs, and of those behind them. */
  void fillPlane(const float* channel, const Band& band, Index y, Index x, float* plane) const {
    const ConvShape& s = shape;
    for (Index r = 0; r < band.rows + haloH_; r++, plane += wide_) {
      const Index row = (band.top + r) * s.strideH + y - s.top;
      if (row < 0 || row >= s.h) __builtin_memset(plane, 0, wide_ * sizeof(float));
      else fillRow(channel + row * s.w, band.left * s.strideW + x - s.left, plane);
    }
  }

  /** to[i] = row[first + i · strideW] for i < wide, zeros outside the image. */
  void fillRow(const float* row, Index first, float* to) const {
    const Index stride = shape.strideW;
    const Index end = first < shape.w ? least((shape.w - first + stride - 1) / stride, wide_) : 0;
    const Index begin = first < 0 ? least((-first + stride - 1) / stride, end) : 0;
    __builtin_memset(to, 0, begin * sizeof(float));
    if (stride == 1) __builtin_memcpy(to + begin, row + first + begin, (end - begin) * sizeof(float));
    else for (Index i = begin; i < end; i++) to[i] = row[first + i * stride];
    __builtin_memset(to + end, 0, (wide_ - end) * sizeof(float));
  }

  const Index width_;
  const Axis rowAxis_, columnAxis_;
  const Index haloH_, haloW_;
  Index rows_, columns_, wide_, plane_;
  std::size_t left_, landings_, field_;
};

}  // namespace
}  // namespace weightroom
