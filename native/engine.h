// What an instruction set brings: the functions of src/graph/kernels.ts that exist in C++ too, on plain pointers.
// Every engine gives the same bits: an output is one chain acc = fma(a[k], b[k], acc), k = 0, 1, 2, ...

#pragma once

#include <cstddef>
#include <cstdint>

namespace weightroom {

using Index = std::ptrdiff_t;

/** Columns of a panel: panels[ceil(n / 16)][k][16], zeros where w has no row. The same for every engine. */
constexpr Index kPanel = 16;

/**
 * The sizes of a cross-correlation; (top, left): zeros above and beside the image, or so much of it left out where they
 * are negative; the others follow from out.
 */
struct ConvShape {
  Index channels, h, w;  // of the image
  Index outH, outW;
  Index kernelH, kernelW;
  Index strideH, strideW;
  Index top, left;
  Index dilationH, dilationW;
  Index groups;
};

struct LinearCall {
  const float* x;       // [m, k]
  const float* panels;  // of w[n, k]
  const float* bias;    // [n], or null
  float* y;             // m rows of n, ldy elements from one to the next
  Index m, ldy, n, k;
  bool relu;
};

struct ConvCall {
  const float* x;       // [batch, channels, h, w]
  const float* weight;  // [outputs, channels / groups, kernelH, kernelW]
  const float* bias;    // [outputs], or null
  float* y;             // [batch, outputs, outH, outW]
  Index batch, outputs;
  ConvShape shape;
  void* scratch;  // convScratch(shape) bytes, at a multiple of 4
  bool relu;
};

/** Rows of a sequence: row r at step t is row r · stride + t · stepStride of x and y, whose rows lie side by side. */
struct RecurrenceCall {
  const float* x;       // the inputs' part of the gates
  const float* panels;  // of w[gates · n, n]
  const float* bias;    // [gates · n], or null
  float* scratch;       // rows · (2 + gates) · n
  float* y;             // the states
  Index cell;           // 0: RNN with tanh, 1: with ReLU, 2: LSTM, 3: GRU
  Index rows, stride, stepStride, steps, n;
  bool reverse;
};

struct Engine {
  const char* name;
  bool (*runsHere)();
  void (*pack)(const float* w, float* panels, Index n, Index k);
  void (*linear)(const LinearCall&);
  void (*conv)(const ConvCall&);
  std::size_t (*convScratch)(const ConvShape&);
  void (*recurrence)(const RecurrenceCall&);
  void (*softmaxRows)(const float* x, float* y, Index rows, Index d);
};

/** The engines that this file was built with, the fastest first, and an empty one at the end. */
extern const Engine* const kEngines[];

}  // namespace weightroom
