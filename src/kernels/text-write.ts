// A tensor's numbers as JSON text: row-major, in lists in lists. Any part of it, from one element to another, can be
// written alone, with the commas and brackets that are its own: the parts' texts joined are the whole.

import { eightDigits, putFloat32, ZEROS } from './text-float';

export function write_float32(x: usize, lists: usize, rank: u32, from: u32, to: u32, out: usize): usize {
  return writeLists<f32>(x, lists, rank, from, to, out);
}

export function write_int64(x: usize, lists: usize, rank: u32, from: u32, to: u32, out: usize): usize {
  return writeLists<i64>(x, lists, rank, from, to, out);
}

export function write_int32(x: usize, lists: usize, rank: u32, from: u32, to: u32, out: usize): usize {
  return writeLists<i32>(x, lists, rank, from, to, out);
}

export function write_bool(x: usize, lists: usize, rank: u32, from: u32, to: u32, out: usize): usize {
  return writeLists<bool>(x, lists, rank, from, to, out);
}

// @ts-ignore: decorator
@inline
function writeLists<T>(x: usize, lists: usize, rank: u32, from: u32, to: u32, out: usize): usize {
  const row = rank > 0 ? load<u32>(lists + ((rank - 1) << 2)) : 1;
  let at = out;
  let i = from;
  while (i < to) {
    if (i > 0) store<u8>(at++, 0x2c);
    for (let dim = rank; dim > 0 && i % load<u32>(lists + ((dim - 1) << 2)) == 0; dim--) store<u8>(at++, 0x5b);
    const end = min(to, i - (i % row) + row);
    at = put<T>(x, i, at);
    for (i++; i < end; i++) {
      store<u8>(at, 0x2c);
      at = put<T>(x, i, at + 1);
    }
    for (let dim = rank; dim > 0 && i % load<u32>(lists + ((dim - 1) << 2)) == 0; dim--) store<u8>(at++, 0x5d);
  }
  return at - out;
}

// @ts-ignore: decorator
@inline
function put<T>(x: usize, i: u32, at: usize): usize {
  if (isFloat<T>()) return putFloat32(load<f32>(x + (<usize>i << 2)), at);
  if (sizeof<T>() == 8) return putInteger(load<i64>(x + (<usize>i << 3)), at);
  if (sizeof<T>() == 4) return putInteger(load<i32>(x + (<usize>i << 2)), at);
  return putBool(load<u8>(x + <usize>i), at);
}

function putBool(value: u8, at: usize): usize {
  store<u32>(at, value == 0 ? 0x736c6166 : 0x65757274); // fals, true
  store<u8>(at, 0x65, 4);
  return at + 5 - usize(value != 0);
}

function putInteger(value: i64, at: usize): usize {
  if (value < 0) store<u8>(at++, 0x2d);
  return putUnsigned(value < 0 ? -value : value, at); // -2^63 stays what it is: unsigned, its own size
}

function putUnsigned(value: u64, at: usize): usize {
  const upper = value / 100000000;
  const digits = eightDigits(<u32>(value - upper * 100000000));
  if (upper == 0) {
    const leading = min<u64>(ctz(digits) >> 3, 7);
    store<u64>(at, (digits | ZEROS) >> (leading << 3));
    return at + 8 - <usize>leading;
  }
  at = putUnsigned(upper, at);
  store<u64>(at, digits | ZEROS);
  return at + 8;
}
