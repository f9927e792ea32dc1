// Recurrent cells: x holds W x + b of the inputs, hg W h + b of the state before, their gates (of n elements each) in
// PyTorch's order. Rows of x are xRow elements apart, those of y yRow; what is a cell's own (hg, h, c) is contiguous. All
// steps of a layer, and single steps of its gradients. Formulas: ATen/native/RNN.cpp. native/recurrence.h gives the same
// bits.

import { sigmoid, tanh } from './elementary';
import { atLeast, BYTES, loadLanes, storeLanes } from './lanes';
import { linear } from './linear';

// @ts-ignore: decorator
@inline
function sum(x: usize, hg: usize, i: usize, n: usize): v128 {
  return f32x4.add(loadLanes(x, i, n), loadLanes(hg, i, n));
}

// @ts-ignore: decorator
@inline
function one(): v128 {
  return f32x4.splat(1);
}

const RNN_RELU: i32 = 1;
const LSTM: i32 = 2;
const GRU: i32 = 3;

/**
 * All steps for some rows: row r at step t is row r · stride + t · stepStride of x and y. scratch: rows · (2 + gates) · n
 * elements. cell: 0 RNN with tanh, 1 with ReLU, 2 LSTM, 3 GRU; reverse 1: the last step first.
 */
export function recurrence(
  cell: i32, x: usize, panels: usize, bias: usize, scratch: usize, y: usize,
  rows: usize, stride: usize, stepStride: usize, steps: usize, n: usize, reverse: i32,
): void {
  const width = n * (cell == LSTM ? 4 : cell == GRU ? 3 : 1);
  const h = scratch;
  const c = h + rows * n * BYTES;
  const hg = c + rows * n * BYTES;
  memory.fill(h, 0, 2 * rows * n * BYTES);
  for (let t: usize = 0; t < steps; t++) {
    linear(h, panels, bias, hg, rows, width, width, n, 0);
    const row = (reverse ? steps - 1 - t : t) * stepStride;
    const xAt = x + row * width * BYTES;
    const yAt = y + row * n * BYTES;
    if (cell == LSTM) lstmStep(xAt, stride * width, hg, c, h, yAt, stride * n, rows, n);
    else if (cell == GRU) gruStep(xAt, stride * width, hg, h, yAt, stride * n, rows, n);
    else rnnStep(xAt, stride * width, hg, h, yAt, stride * n, rows, n, i32(cell == RNN_RELU));
  }
}

/** h = y = tanh(x + hg); relu 1: max(x + hg, 0) */
function rnnStep(
  x: usize, xRow: usize, hg: usize, h: usize, y: usize, yRow: usize, rows: usize, n: usize, relu: i32,
): void {
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const v = sum(x, hg, i, n);
      const next = relu ? atLeast(v, f32x4.splat(0)) : tanh(v);
      storeLanes(h, i, n, next);
      storeLanes(y, i, n, next);
    }
    x += xRow * BYTES;
    hg += n * BYTES;
    h += n * BYTES;
    y += yRow * BYTES;
  }
}

/** Gates i, f, g, o: c = f · c + i · g, h = y = o · tanh(c) */
function lstmStep(
  x: usize, xRow: usize, hg: usize, c: usize, h: usize, y: usize, yRow: usize, rows: usize, n: usize,
): void {
  const gate = n * BYTES;
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const input = sigmoid(sum(x, hg, i, n));
      const forget = sigmoid(sum(x + gate, hg + gate, i, n));
      const cell = tanh(sum(x + 2 * gate, hg + 2 * gate, i, n));
      const output = sigmoid(sum(x + 3 * gate, hg + 3 * gate, i, n));
      const next = f32x4.add(f32x4.mul(forget, loadLanes(c, i, n)), f32x4.mul(input, cell));
      storeLanes(c, i, n, next);
      const state = f32x4.mul(output, tanh(next));
      storeLanes(h, i, n, state);
      storeLanes(y, i, n, state);
    }
    x += xRow * BYTES;
    hg += 4 * gate;
    c += gate;
    h += gate;
    y += yRow * BYTES;
  }
}

/** Gates r, z, n: h = y = (h - n) · z + n, n = tanh(xn + r · hn) */
function gruStep(
  x: usize, xRow: usize, hg: usize, h: usize, y: usize, yRow: usize, rows: usize, n: usize,
): void {
  const gate = n * BYTES;
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const reset = sigmoid(sum(x, hg, i, n));
      const update = sigmoid(sum(x + gate, hg + gate, i, n));
      const fresh = newGate(x + 2 * gate, hg + 2 * gate, reset, i, n);
      const state = f32x4.add(f32x4.mul(f32x4.sub(loadLanes(h, i, n), fresh), update), fresh);
      storeLanes(h, i, n, state);
      storeLanes(y, i, n, state);
    }
    x += xRow * BYTES;
    hg += 3 * gate;
    h += gate;
    y += yRow * BYTES;
  }
}

// @ts-ignore: decorator
@inline
function newGate(x: usize, hg: usize, reset: v128, i: usize, n: usize): v128 {
  return tanh(f32x4.add(loadLanes(x, i, n), f32x4.mul(reset, loadLanes(hg, i, n))));
}

/** dg = dx = (dy + dh) · f'(…), of the output y itself; relu 1: where it is above 0. */
export function rnn_step_gradient(
  y: usize, dy: usize, yRow: usize, dh: usize, dx: usize, xRow: usize, dg: usize, rows: usize, n: usize, relu: i32,
): void {
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const v = loadLanes(y, i, n);
      const g = f32x4.add(loadLanes(dy, i, n), loadLanes(dh, i, n));
      const own = relu
        ? v128.andnot(g, f32x4.le(v, f32x4.splat(0)))
        : f32x4.mul(g, f32x4.sub(one(), f32x4.mul(v, v)));
      storeLanes(dx, i, n, own);
      storeLanes(dg, i, n, own);
    }
    y += yRow * BYTES;
    dy += yRow * BYTES;
    dh += n * BYTES;
    dx += xRow * BYTES;
    dg += n * BYTES;
  }
}

/** What a step of the LSTM had in between: its gates, in rows like those of x, and its cells. */
export function lstm_gates(
  x: usize, hg: usize, gates: usize, xRow: usize, before: usize, c: usize, rows: usize, n: usize,
): void {
  const gate = n * BYTES;
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const input = sigmoid(sum(x, hg, i, n));
      const forget = sigmoid(sum(x + gate, hg + gate, i, n));
      const cell = tanh(sum(x + 2 * gate, hg + 2 * gate, i, n));
      storeLanes(gates, i, n, input);
      storeLanes(gates + gate, i, n, forget);
      storeLanes(gates + 2 * gate, i, n, cell);
      storeLanes(gates + 3 * gate, i, n, sigmoid(sum(x + 3 * gate, hg + 3 * gate, i, n)));
      storeLanes(c, i, n, f32x4.add(f32x4.mul(forget, loadLanes(before, i, n)), f32x4.mul(input, cell)));
    }
    x += xRow * BYTES;
    hg += xRow * BYTES;
    gates += xRow * BYTES;
    before += gate;
    c += gate;
  }
}

/** gates → their gradients, here and in dg; dc: of the cells after this step → of those before it. */
export function lstm_step_gradient(
  gates: usize, xRow: usize, before: usize, c: usize, dy: usize, yRow: usize, dh: usize, dc: usize, dg: usize,
  rows: usize, n: usize,
): void {
  const gate = n * BYTES;
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const input = loadLanes(gates, i, n);
      const forget = loadLanes(gates + gate, i, n);
      const cell = loadLanes(gates + 2 * gate, i, n);
      const output = loadLanes(gates + 3 * gate, i, n);
      const t = tanh(loadLanes(c, i, n));
      const g = f32x4.add(loadLanes(dy, i, n), loadLanes(dh, i, n));
      const inner = f32x4.mul(f32x4.mul(g, output), f32x4.sub(one(), f32x4.mul(t, t)));
      const cells = f32x4.add(loadLanes(dc, i, n), inner);
      storeLanes(dc, i, n, f32x4.mul(cells, forget));
      put(gates, dg, i, n, ofSigmoid(f32x4.mul(cells, cell), input));
      put(gates + gate, dg + gate, i, n, ofSigmoid(f32x4.mul(cells, loadLanes(before, i, n)), forget));
      put(gates + 2 * gate, dg + 2 * gate, i, n, ofTanh(f32x4.mul(cells, input), cell));
      put(gates + 3 * gate, dg + 3 * gate, i, n, ofSigmoid(f32x4.mul(g, t), output));
    }
    gates += xRow * BYTES;
    before += gate;
    c += gate;
    dy += yRow * BYTES;
    dh += gate;
    dc += gate;
    dg += 4 * gate;
  }
}

/**
 * before: the states before this step, in rows like those of y. dx, dhg: the gradients of x and hg, which differ in the
 * last gate; dg: dhg again, contiguous. direct: what goes to the state before past the product, added here to dy and dh.
 */
export function gru_step_gradient(
  x: usize, hg: usize, xRow: usize, before: usize, dy: usize, yRow: usize, dh: usize, direct: usize,
  dx: usize, dhg: usize, dg: usize, rows: usize, n: usize,
): void {
  const gate = n * BYTES;
  for (; rows; rows--) {
    for (let i: usize = 0; i < n; i += 4) {
      const reset = sigmoid(sum(x, hg, i, n));
      const update = sigmoid(sum(x + gate, hg + gate, i, n));
      const fresh = newGate(x + 2 * gate, hg + 2 * gate, reset, i, n);
      const g = f32x4.add(f32x4.add(loadLanes(dy, i, n), loadLanes(dh, i, n)), loadLanes(direct, i, n));
      storeLanes(direct, i, n, f32x4.mul(g, update));
      const dn = ofTanh(f32x4.mul(g, f32x4.sub(one(), update)), fresh);
      const dz = ofSigmoid(f32x4.mul(g, f32x4.sub(loadLanes(before, i, n), fresh)), update);
      const dr = ofSigmoid(f32x4.mul(dn, loadLanes(hg + 2 * gate, i, n)), reset);
      const last = f32x4.mul(dn, reset);
      storeLanes(dx, i, n, dr);
      storeLanes(dx + gate, i, n, dz);
      storeLanes(dx + 2 * gate, i, n, dn);
      put(dhg, dg, i, n, dr);
      put(dhg + gate, dg + gate, i, n, dz);
      put(dhg + 2 * gate, dg + 2 * gate, i, n, last);
    }
    x += xRow * BYTES;
    hg += xRow * BYTES;
    before += yRow * BYTES;
    dy += yRow * BYTES;
    dh += gate;
    direct += gate;
    dx += xRow * BYTES;
    dhg += xRow * BYTES;
    dg += 3 * gate;
  }
}

// @ts-ignore: decorator
@inline
function put(a: usize, b: usize, i: usize, n: usize, v: v128): void {
  storeLanes(a, i, n, v);
  storeLanes(b, i, n, v);
}

/** g · s (1 - s) */
// @ts-ignore: decorator
@inline
function ofSigmoid(g: v128, s: v128): v128 {
  return f32x4.mul(g, f32x4.mul(s, f32x4.sub(one(), s)));
}

/** g · (1 - t²) */
// @ts-ignore: decorator
@inline
function ofTanh(g: v128, t: v128): v128 {
  return f32x4.mul(g, f32x4.sub(one(), f32x4.mul(t, t)));
}
