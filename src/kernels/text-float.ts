// The shortest decimal text that reads back to the same float32; among the shortest the closest (a tie: the even digit).
// Schubfach (Giulietti, The Schubfach way to render doubles, 2021). Most numbers take a way without branches, since the
// digits of a tensor's numbers are as good as random; the others take the long one. The style is Number#toString's.

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

/** Eight times '0'. */
export const ZEROS: u64 = 0x3030303030303030;
const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const QUOTE: u32 = 0x22;

/** Where the point stands at most to the left and right of numbers that one vector holds: 0.00000d, and nine digits. */
const LEFTMOST: i32 = -5;
const RIGHTMOST: i32 = 9;

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

/** Writes one float32 from `out` on; answers the end. Up to 24 bytes are written to, more than the text has. */
// @ts-ignore: decorator
@inline
export function putFloat32(value: f32, out: usize): usize {
  const pattern = reinterpret<u32>(value);
  store<u8>(out, MINUS);
  const start = out + <usize>(pattern >>> 31);
  const field = (pattern >>> 23) & 0xff;
  const fraction = pattern & 0x7fffff;
  if (fraction == 0 || field - 1 >= 0xfe) return putRare(pattern, start, out);

  // value = c · 2^q, and as far below as above it is the next float32: what is nearest is between the bounds.
  const c = fraction | 0x800000;
  const q = <i32>field - 150;
  const k = floorLog10Pow2(q);
  const h = <u64>(q + floorLog2Pow10(-k) + 1);
  const g = powerHigh(-k) + 1; // the power's first 64 bits, never too small
  const quarters = <u64>c << (h + 2);
  const half = h + 1;
  const gHigh = g >> 32;
  const gLow = <u64>(<u32>g);
  const high = gHigh * quarters;
  const low = gLow * quarters;
  const odd = c & 1; // the bounds themselves read back to even ones only
  const middle = roundToOdd(high, low);
  const upper = roundToOdd(high + (gHigh << half), low + (gLow << half)) - odd;
  const lower = roundToOdd(high - (gHigh << half), low - (gLow << half)) + odd;

  // In quarters of 10^k: the ten below or the one above if it is between the bounds, or else the nearest whole number.
  const tens = middle / 40;
  const tenUp = u32(tens * 40 + 40 <= upper);
  const isTen = tenUp | u32(lower <= tens * 40);
  const nearest = (middle + 1 + ((middle >>> 2) & 1)) >>> 2;
  const digits = isTen ? (tens + tenUp) * 10 : nearest;

  // Seven to nine digits: nine, with zeros at the end.
  const isSeven = u32(digits < 10000000);
  const missing = u32(digits < NINE_DIGITS) + isSeven;
  const nine = digits * (missing == 0 ? 1 : isSeven ? 100 : 10);
  return putDigits(nine, k + 9 - <i32>missing, pattern, start);
}

// @ts-ignore: decorator
@inline
function floorLog10Pow2(q: i32): i32 {
  return (q * 1262611) >> 22;
}

// @ts-ignore: decorator
@inline
function floorLog2Pow10(k: i32): i32 {
  return (k * 1741647) >> 19;
}

/** digits: nine, the first not 0; point: how many of them stand before it. */
// @ts-ignore: decorator
@inline
function putDigits(digits: u32, point: i32, pattern: u32, start: usize): usize {
  const first = <u32>((<u64>digits * 1441151881) >> 57); // digits / 10^8
  const others = eightDigits(digits - first * NINE_DIGITS);
  const count = 9 - (<i32>clz(others) >> 3);
  const row = <u32>(point - LEFTMOST);
  if (row > <u32>(RIGHTMOST - LEFTMOST)) return putLong(pattern, first, others, count, point, start);

  const parts = i64x2.replace_lane(i64x2.splat(others | ZEROS), 1, 0x2e3030 + first);
  v128.store(start, i8x16.relaxed_swizzle(parts, v128.load(PATTERNS + (<usize>row << 4))));
  const length = point <= 0 ? count + 2 - point : count > point ? count + 1 : point;
  return start + <usize>length;
}

/** 0 and -0; as JSON strings what is not finite; subnormal numbers, and powers of two, to which the one below is nearer. */
function putRare(pattern: u32, start: usize, out: usize): usize {
  const size = pattern & 0x7fffffff;
  if (size == 0) {
    store<u8>(start, 0x30);
    return start + 1;
  }
  if (size >= 0x7f800000) return putNotFinite(pattern, out);

  const isSubnormal = size < 0x800000;
  const closer = u32(!isSubnormal && size > 0x800000);
  const c = isSubnormal ? size : 0x800000;
  const q = isSubnormal ? -149 : <i32>(size >>> 23) - 150;
  const k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; // of 3/4 of 2^q where closer
  const h = <u64>(q + floorLog2Pow10(-k) + 1);
  const g = powerHigh(-k) + 1;
  const gHigh = g >> 32;
  const gLow = <u64>(<u32>g);
  const bounds = (<u64>c << 2) - 2 + closer;
  const odd = c & 1;
  const lower = roundToOdd(gHigh * (bounds << h), gLow * (bounds << h)) + odd;
  const middle = roundToOdd(gHigh * ((<u64>c << 2) << h), gLow * ((<u64>c << 2) << h));
  const upper = roundToOdd(gHigh * (((<u64>c << 2) + 2) << h), gLow * (((<u64>c << 2) + 2) << h)) - odd;

  const s = middle >>> 2;
  const tens = s / 10;
  const tenDown = lower <= tens * 40;
  const tenUp = tens * 40 + 40 <= upper;
  const down = lower <= s * 4;
  const up = s * 4 + 4 <= upper;
  let digits = down != up ? s + u32(up) : (middle + 1 + (s & 1)) >>> 2;
  if (tenDown != tenUp) digits = (tens + u32(tenUp)) * 10;
  let point = k + 9;
  for (; digits < NINE_DIGITS; digits *= 10) point--;
  return putDigits(digits, point, pattern, start);
}

function putNotFinite(pattern: u32, out: usize): usize {
  if ((pattern & 0x7fffff) != 0) {
    store<u32>(out, 0x4e614e22); // "NaN
    store<u8>(out, QUOTE, 4);
    return out + 5;
  }
  store<u8>(out, QUOTE);
  store<u8>(out, MINUS, 1);
  const word = out + 1 + <usize>(pattern >>> 31);
  store<u64>(word, 0x7974696e69666e49); // Infinity
  store<u8>(word, QUOTE, 8);
  return word + 9;
}

/**
 * 7.038531e-26 is the one text of this kind whose float64 is halfway between two float32, and would be read as the wrong
 * one of them: so it has a digit more. That there is no other was found by reading back every float32.
 */
const MISREAD: u32 = 0x15ae43fd;

/** Up to 21 digits before the point as an integer; all others with an exponent. */
function putLong(pattern: u32, first: u32, others: u64, count: i32, point: i32, start: usize): usize {
  if ((pattern & 0x7fffffff) == MISREAD) {
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
  store<u8>(end, exponent < 0 ? MINUS : PLUS, 1);
  const power = abs(exponent);
  if (power < 10) {
    store<u8>(end, 0x30 + power, 2);
    return end + 3;
  }
  store<u8>(end, 0x30 + power / 10, 2);
  store<u8>(end, 0x30 + (power % 10), 3);
  return end + 4;
}
