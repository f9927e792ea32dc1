// Reads the numbers of one list, one after the other, as float32: digits eight at a time, and the words for what is no
// finite number. Wrong JSON is not told apart from what is no number.

import { ZEROS } from './text-float';
import { nearestFloat64, UNDECIDED } from './text-number';
import { BOOLS, count, END, HARD, LIST, NOT_FINITE, Reading } from './text-reading';
import { afterSpace } from './text-scan';

const DOT: u32 = 0x2e;
const MINUS: u32 = 0x2d;

/** Decimal digits that every u64 has room for. */
const MOST_DIGITS: usize = 19;
const BIG_EXPONENT: i32 = 100000;

// prettier-ignore
const SMALL_POWERS = memory.data<u32>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000]);

/** 0x80 in the bytes that are no digits, and perhaps in some above them; `digits`: the text's bytes ^ '0'. */
// @ts-ignore: decorator
@inline
function noDigits(digits: u64): u64 {
  return ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
}

/** The number of eight digits, the first in the lowest byte. */
// @ts-ignore: decorator
@inline
function eightDigits(digits: u64): u64 {
  const twos = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  const fours = (twos * 100 + (twos >> 16)) & 0x0000ffff0000ffff;
  return <u64>(<u32>(fours * 10000 + (fours >> 32)));
}

/** Numbers and their words, with commas between them. LIST: `at` is behind the last; HARD: at one; END: at what is neither. */
export function readRow(reading: Reading, state: usize): i32 {
  const end: usize = reading.end;
  const outEnd: usize = reading.outEnd;
  const begun: usize = reading.out;
  let out = begun;
  let at: usize = reading.at;
  let traits = reading.traits;
  let least = reading.min;
  let most = reading.max;
  let told = LIST;
  while (true) {
    if (out >= outEnd) {
      told = END;
      break;
    }
    let p = at + usize(load<u8>(at) == MINUS);
    const start = p;
    let digit = <u32>load<u8>(p) - 0x30;
    if (digit <= 9) {
      let w: u64 = 0;
      do {
        w = w * 10 + digit;
        digit = <u32>load<u8>(++p) - 0x30;
      } while (digit <= 9);
      let exponent: i32 = 0;
      let count = p - start;
      let wrong = count > 1 && load<u8>(start) == 0x30;
      if (digit == DOT - 0x30) {
        const point = ++p;
        let digits = load<u64>(p) ^ ZEROS;
        let others = noDigits(digits);
        while (others == 0) {
          w = w * 100000000 + eightDigits(digits);
          p += 8;
          digits = load<u64>(p) ^ ZEROS;
          others = noDigits(digits);
        }
        const some = <usize>ctz(others) >> 3;
        if (some > 0) {
          w = w * load<u32>(SMALL_POWERS + (some << 2)) + eightDigits(digits << (64 - (some << 3)));
          p += some;
        }
        wrong |= p == point;
        exponent = <i32>(point - p);
        count += p - point;
        digit = <u32>load<u8>(p) - 0x30;
      }
      if ((digit | 0x20) == 0x65 - 0x30) {
        p++;
        const sign = <u32>load<u8>(p);
        p += usize(sign == MINUS || sign == 0x2b);
        digit = <u32>load<u8>(p) - 0x30;
        wrong |= digit > 9;
        let written: i32 = 0;
        while (digit <= 9) {
          if (written < BIG_EXPONENT) written = written * 10 + digit;
          digit = <u32>load<u8>(++p) - 0x30;
        }
        exponent += sign == MINUS ? -written : written;
      }
      if (wrong || p > end) {
        told = END;
        break;
      }
      let value = UNDECIDED;
      if (count <= MOST_DIGITS || count - leadingZeros(start) <= MOST_DIGITS) value = nearestFloat64(w, exponent);
      if (value != value) {
        reading.after = <u32>p;
        told = HARD;
        break;
      }
      value = start > at ? -value : value;
      traits |= u32(value != trunc(value));
      least = min(least, value);
      most = max(most, value);
      store<f32>(out, <f32>value);
    } else {
      const word = start > at ? 0 : wordAt(at);
      if (word == 0) {
        told = END;
        break;
      }
      traits |= word & 0xff;
      p += word >> 24;
      const value = reinterpret<f32>(load<u32>(WORDS + ((word >> 16) & 0xff)));
      store<f32>(out, value);
      if (word & BOOLS) {
        least = min<f64>(least, value);
        most = max<f64>(most, value);
      }
    }
    out += 4;
    at = afterSpace(p);
    if (at >= end || load<u8>(at) != 0x2c) break;
    const next = afterSpace(at + 1);
    if (load<u8>(next) == 0x5b) break;
    at = next;
  }
  reading.at = <u32>at;
  reading.out = <u32>out;
  reading.traits = traits;
  reading.min = least;
  reading.max = most;
  count(reading, state, <u32>(out - begun) >> 2);
  return told;
}

/** The zeros before a number's first other digit. */
function leadingZeros(at: usize): usize {
  let zeros: usize = 0;
  for (let byte = load<u8>(at); byte == 0x30 || byte == DOT; byte = load<u8>(++at)) zeros += usize(byte == 0x30);
  return zeros;
}

/** false, true, NaN, Infinity, -Infinity as float32. */
const WORDS = memory.data<u32>([0, 0x3f800000, 0x7fc00000, 0x7f800000, 0xff800000]);

/** 0, or a word's traits, its place in WORDS << 16 and its length << 24. */
function wordAt(at: usize): u32 {
  const four = load<u32>(at);
  if (four == 0x65757274) return BOOLS | (4 << 16) | (4 << 24);
  if (four == 0x736c6166) return load<u8>(at, 4) == 0x65 ? BOOLS | (5 << 24) : 0;
  if (four == 0x4e614e22) return load<u8>(at, 4) == 0x22 ? NOT_FINITE | (8 << 16) | (5 << 24) : 0;
  if (<u8>four != 0x22) return 0;
  const minus = u32(load<u8>(at, 1) == MINUS);
  if (load<u64>(at + minus, 1) != 0x7974696e69666e49 || load<u8>(at + minus, 9) != 0x22) return 0;
  return NOT_FINITE | ((12 + (minus << 2)) << 16) | ((10 + minus) << 24);
}
