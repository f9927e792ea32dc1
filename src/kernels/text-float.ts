// The shortest decimal text that reads back to the same float32; among the shortest the closest (a tie: the even digit).
// Schubfach (Giulietti, The Schubfach way to render doubles, 2021), its decisions made by selects and not by branches:
// the digits of a tensor's numbers are as good as random. The style is Number#toString's.

import { powerHigh } from './text-powers';

/** The first 32 of 96 bits, high · 2^32 + low; lost ones stay seen: the last bit is 1 where there were more than one unit. */
// @ts-ignore: decorator
@inline
function roundToOdd(high: u64, low: u64): u32 {
  const sum = high + (low >> 32);
  return <u32>(sum >> 32) | u32(<u32>sum > 1);
}

const NINE_DIGITS: u32 = 100000000;

/** Eight digits, one in a byte, the first in the lowest. */
// @ts-ignore: decorator
@inline
export function eightDigits(value: u32): u64 {
  const upper = (<u64>value * 109951163) >> 40; // value / 10000
  const fours = upper | ((<u64>value - upper * 10000) << 32);
  const hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const twos = hundreds | ((fours - hundreds * 100) << 16);
  const tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return tens | ((twos - tens * 10) << 8);
}

export const ZEROS: u64 = 0x3030303030303030;

/** Where the point stands at most to the left and right in numbers that one vector holds: 0.00000d and 16 digits. */
const LEFTMOST: i32 = -5;
const RIGHTMOST: i32 = 16;

/**
 * By the place of the point, from LEFTMOST: which byte of [digits 2 to 9, digit 1, '0', '.'] stands where in the text.
 * What comes after the last digit, the point too, is written and then written over.
 */
// prettier-ignore
const PATTERNS = memory.data<u8>([
  9, 10, 9, 9, 9, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7,
  9, 10, 9, 9, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9,
  9, 10, 9, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9,
  9, 10, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9,
  9, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9,
  9, 10, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9,
  8, 10, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 10, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 10, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 10, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 3, 10, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 3, 4, 10, 5, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 3, 4, 5, 10, 6, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 3, 4, 5, 6, 10, 7, 9, 9, 9, 9, 9, 9,
  8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9, 9,
]);
/** From nine digits before the point on, only zeros are added. */
const LAST_PATTERN: i32 = 9;

/** Writes one float32 from `out` on; answers the end. Up to 24 bytes are written to, more than the text has. */
// @ts-ignore: decorator
@inline
export function putFloat32(value: f32, out: usize): usize {
  const pattern = reinterpret<u32>(value);
  const size = pattern & 0x7fffffff;
  store<u8>(out, 0x2d); // '-'
  const start = out + <usize>(pattern >>> 31);
  if (size - 1 >= 0x7f7fffff) return putSpecial(size, pattern, start, out);

  const field = size >>> 23;
  const fraction = size & 0x7fffff;
  const normal = u32(field != 0);
  const c = fraction | (normal << 23);
  const q = <i32>(field + (normal ^ 1)) - 150; // value = c · 2^q
  const closer = u32(fraction == 0) & u32(field > 1); // the neighbour below a power of two is half as far
  const odd = c & 1; // the bounds themselves read back to even ones only

  const k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; // floor(log10(2^q)), of 3/4 of it where closer
  const h = <u64>(q + ((-k * 1741647) >> 19) + 1);
  const g = powerHigh(-k) + 1; // the power's first 64 bits, never too small
  const quarters = <u64>c << (h + 2);
  const gHigh = g >> 32;
  const gLow = <u64>(<u32>g);
  const high = gHigh * quarters;
  const low = gLow * quarters;
  const middle = roundToOdd(high, low);
  const upper = roundToOdd(high + (gHigh << (h + 1)), low + (gLow << (h + 1))) - odd;
  const below = h + 1 - <u64>closer;
  const lower = roundToOdd(high - (gHigh << below), low - (gLow << below)) + odd;

  // In units of 10^k: one digit less, or the one of the two around the value that is inside, or the nearer one.
  const s = middle >>> 2;
  const tens = s / 10;
  const tenDown = u32(lower <= 40 * tens);
  const tenUp = u32(40 * tens + 40 <= upper);
  const down = u32(lower <= 4 * s);
  const up = u32(4 * s + 4 <= upper);
  const rest = middle & 3;
  const nearerUp = u32(rest > 2) | (u32(rest == 2) & s & 1);
  const long = s + (down != up ? up : nearerUp);
  const short = (tens + tenUp) * 10;
  let digits = s >= 10 && tenDown != tenUp ? short : long;

  // Nine digits, zeros at the end. A normal number has seven of them at least.
  let point = k + 9;
  if (digits < 1000000) {
    do {
      digits *= 10;
      point -= 1;
    } while (digits < NINE_DIGITS);
  } else {
    const seven = u32(digits < 10000000);
    const missing = u32(digits < NINE_DIGITS) + seven;
    digits *= missing == 0 ? 1 : seven ? 100 : 10;
    point -= <i32>missing;
  }
  const first = <u32>((<u64>digits * 1441151881) >> 57); // digits / 10^8
  const others = eightDigits(digits - first * NINE_DIGITS);
  const count = 9 - (<i32>clz(others) >> 3);
  if (point < LEFTMOST || point > RIGHTMOST) return putLong(size, first, others, count, point, start);

  const parts = i64x2.replace_lane(i64x2.splat(others | ZEROS), 1, 0x2e3030 + first);
  const by = v128.load(PATTERNS + (<usize>(min(point, LAST_PATTERN) - LEFTMOST) << 4));
  v128.store(start, i8x16.relaxed_swizzle(parts, by));
  const length = point <= 0 ? count + 2 - point : count > point ? count + 1 : point;
  return start + <usize>length;
}

/** 0 and -0, and as JSON strings what is not finite. `start` is past a sign. */
function putSpecial(size: u32, pattern: u32, start: usize, out: usize): usize {
  if (size == 0) {
    store<u8>(start, 0x30);
    return start + 1;
  }
  if (size > 0x7f800000) {
    store<u32>(out, 0x4e614e22); // "NaN
    store<u8>(out, 0x22, 4);
    return out + 5;
  }
  store<u8>(out, 0x22);
  if (pattern >>> 31) store<u8>(out, 0x2d, 1);
  const word = out + 1 + <usize>(pattern >>> 31);
  store<u64>(word, 0x7974696e69666e49); // Infinity
  store<u8>(word, 0x22, 8);
  return word + 9;
}

/**
 * 7.038531e-26 is the one text of this kind whose float64 is halfway between two float32, and would be read as the wrong
 * one of them: so it has a digit more. That there is no other was found by reading back every float32.
 */
const MISREAD: u32 = 0x15ae43fd;

/** Up to 21 digits before the point as an integer; all others with an exponent. */
function putLong(size: u32, first: u32, others: u64, count: i32, point: i32, start: usize): usize {
  if (size == MISREAD) {
    others = eightDigits(3853070);
    count = 8;
  }
  store<u8>(start, first + 0x30);
  if (point > 0 && point <= 21) {
    store<u64>(start, others | ZEROS, 1);
    store<u64>(start, ZEROS, 9);
    store<u32>(start, <u32>ZEROS, 17);
    return start + <usize>point;
  }
  let end = start + 1;
  if (count > 1) {
    store<u8>(end, 0x2e);
    store<u64>(end, others | ZEROS, 1);
    end += <usize>count;
  }
  const exponent = point - 1;
  store<u8>(end, 0x65); // e
  store<u8>(end, exponent < 0 ? 0x2d : 0x2b, 1);
  const power = abs(exponent);
  if (power < 10) {
    store<u8>(end, 0x30 + power, 2);
    return end + 3;
  }
  store<u8>(end, 0x30 + power / 10, 2);
  store<u8>(end, 0x30 + (power % 10), 3);
  return end + 4;
}
