// Elementwise arithmetic of two tensors, their sums, and copies in another order.

import { BYTES, high, loadLanes, low, narrow, storeLanes, total } from './lanes';

export function add(
  a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) storeLanes(y, l, n2, f32x4.add(lanes(p, l, n2, a2), lanes(q, l, n2, b2)));
      y += n2 * BYTES;
    }
  }
}

export function sub(
  a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) storeLanes(y, l, n2, f32x4.sub(lanes(p, l, n2, a2), lanes(q, l, n2, b2)));
      y += n2 * BYTES;
    }
  }
}

export function mul(
  a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) storeLanes(y, l, n2, f32x4.mul(lanes(p, l, n2, a2), lanes(q, l, n2, b2)));
      y += n2 * BYTES;
    }
  }
}

export function div(
  a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) storeLanes(y, l, n2, f32x4.div(lanes(p, l, n2, a2), lanes(q, l, n2, b2)));
      y += n2 * BYTES;
    }
  }
}

/** Elements l .. l + 3 of a row, or its one element four times. */
// @ts-ignore: decorator
@inline
function lanes(x: usize, l: usize, n: usize, step: usize): v128 {
  return step ? loadLanes(x, l, n) : v128.load32_splat(x);
}

/** y[i] = scale · x[i] + shift */
export function affine(x: usize, y: usize, n: usize, scale: f64, shift: f64): void {
  const factor = f32x4.splat(<f32>scale);
  const term = f32x4.splat(<f32>shift);
  for (let i: usize = 0; i < n; i += 4) {
    storeLanes(y, i, n, f32x4.add(f32x4.mul(loadLanes(x, i, n), factor), term));
  }
}

export function fill(y: usize, n: usize, value: f64): void {
  const v = f32x4.splat(<f32>value);
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, v);
}

/** y[outer, inner] = Σ x[outer, d, inner] */
export function sum(x: usize, y: usize, outer: usize, d: usize, inner: usize): void {
  const bytes = d * inner * BYTES;
  for (; outer; outer--) {
    if (inner == 1) store<f32>(y, sumOfRow(x, d));
    else sumOfColumns(x, y, d, inner);
    x += bytes;
    y += inner * BYTES;
  }
}

function sumOfRow(x: usize, d: usize): f32 {
  let a = f64x2.splat(0), b = a, c = a, e = a;
  let i: usize = 0;
  for (; i + 8 <= d; i += 8) {
    const v = v128.load(x + i * BYTES), w = v128.load(x + i * BYTES, 16);
    a = f64x2.add(a, low(v));
    b = f64x2.add(b, high(v));
    c = f64x2.add(c, low(w));
    e = f64x2.add(e, high(w));
  }
  for (; i < d; i += 4) {
    const v = loadLanes(x, i, d);
    a = f64x2.add(a, low(v));
    b = f64x2.add(b, high(v));
  }
  return <f32>total(f64x2.add(a, c), f64x2.add(b, e));
}

/** Sixteen columns at a time: a cache line is read once. */
function sumOfColumns(x: usize, y: usize, d: usize, inner: usize): void {
  const row = inner * BYTES;
  let i: usize = 0;
  for (; i + 16 <= inner; i += 16) {
    let a = f64x2.splat(0), b = a, c = a, e = a, f = a, g = a, h = a, k = a;
    let at = x + i * BYTES;
    for (let j: usize = 0; j < d; j++) {
      const v0 = v128.load(at), v1 = v128.load(at, 16), v2 = v128.load(at, 32), v3 = v128.load(at, 48);
      a = f64x2.add(a, low(v0));
      b = f64x2.add(b, high(v0));
      c = f64x2.add(c, low(v1));
      e = f64x2.add(e, high(v1));
      f = f64x2.add(f, low(v2));
      g = f64x2.add(g, high(v2));
      h = f64x2.add(h, low(v3));
      k = f64x2.add(k, high(v3));
      at += row;
    }
    const to = y + i * BYTES;
    v128.store(to, narrow(a, b));
    v128.store(to, narrow(c, e), 16);
    v128.store(to, narrow(f, g), 32);
    v128.store(to, narrow(h, k), 48);
  }
  for (; i < inner; i += 4) {
    let a = f64x2.splat(0), b = a;
    for (let j: usize = 0; j < d; j++) {
      const v = loadLanes(x + j * row, i, inner);
      a = f64x2.add(a, low(v));
      b = f64x2.add(b, high(v));
    }
    storeLanes(y, i, inner, narrow(a, b));
  }
}

export function copy(x: usize, y: usize, bytes: usize): void {
  memory.copy(y, x, bytes);
}

/** y[n0, n1, n2] = x[i · s0 + j · s1 + l · s2] */
export function gather(
  x: usize, y: usize, n0: usize, n1: usize, n2: usize, s0: usize, s1: usize, s2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    const from = x + i * s0 * BYTES;
    if (s2 == 1) {
      for (let j: usize = 0; j < n1; j++) memory.copy(y + j * n2 * BYTES, from + j * s1 * BYTES, n2 * BYTES);
    } else if (s1 == 1) transpose(from, y, n1, n2, s2);
    else {
      for (let j: usize = 0; j < n1; j++) {
        let at = from + j * s1 * BYTES;
        const to = y + j * n2 * BYTES;
        for (let l: usize = 0; l < n2; l++) {
          store<f32>(to + l * BYTES, load<f32>(at));
          at += s2 * BYTES;
        }
      }
    }
    y += n1 * n2 * BYTES;
  }
}

/** y[columns, rows] = x[rows, columns]ᵀ, rows of x `step` elements apart; four by four. */
function transpose(x: usize, y: usize, columns: usize, rows: usize, step: usize): void {
  const row = step * BYTES;
  const line = rows * BYTES;
  let l: usize = 0;
  for (; l + 4 <= rows; l += 4) {
    const from = x + l * row;
    const to = y + l * BYTES;
    let j: usize = 0;
    for (; j + 4 <= columns; j += 4) {
      const at = from + j * BYTES;
      const r0 = v128.load(at), r1 = v128.load(at + row);
      const r2 = v128.load(at + 2 * row), r3 = v128.load(at + 3 * row);
      const t0 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), t1 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
      const t2 = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t3 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
      const out = to + j * line;
      v128.store(out, i64x2.shuffle(t0, t1, 0, 2));
      v128.store(out + line, i64x2.shuffle(t0, t1, 1, 3));
      v128.store(out + 2 * line, i64x2.shuffle(t2, t3, 0, 2));
      v128.store(out + 3 * line, i64x2.shuffle(t2, t3, 1, 3));
    }
    for (; j < columns; j++) {
      for (let r: usize = 0; r < 4; r++) store<f32>(to + j * line + r * BYTES, load<f32>(from + r * row + j * BYTES));
    }
  }
  for (; l < rows; l++) {
    for (let j: usize = 0; j < columns; j++) {
      store<f32>(y + j * line + l * BYTES, load<f32>(x + l * row + j * BYTES));
    }
  }
}
