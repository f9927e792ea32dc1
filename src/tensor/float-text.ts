// The shortest decimal text that reads back to the same float32; among the shortest the closest (a tie: the even digit).
// Written as bytes, for millions of numbers at a time; in the style of JavaScript's own Number#toString.

/** No number takes more bytes than this: -340282350000000000000 style integers, below 1e21. */
export const MAX_TEXT = 24;

/** Decimal digits that always tell one float32 from its neighbours. */
const DIGITS = 9;
/** A value times a power of ten is below 2e9, off by at most 2^-52 of itself: 4.4e-7. Nearer calls are made exactly. */
const UNSURE = 2e-6;

/** 10^(i - 60). */
const POWER = Float64Array.from({ length: 121 }, (_, i) => Number(`1e${i - 60}`));
const powerOfTen = (exponent: number): number => POWER[exponent + 60]!;
const BIG_POWER = Array.from({ length: 61 }, (_, i) => 10n ** BigInt(i));

/** By a float32's exponent bits: the decimal exponent of its smallest value (of normal numbers), half of its last place. */
const EXPONENT = Int8Array.from({ length: 256 }, (_, field) => Math.floor(Math.log10(2 ** (field - 127))));
const HALF_PLACE = Float64Array.from({ length: 256 }, (_, field) => 2 ** (Math.max(field, 1) - 151));

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** What `shortest` and `shortestExactly` find: found[0] · 10^found[1]. An array, since a variable would be boxed anew. */
const found = new Int32Array(2);

/** Writes a float32 from `bytes[at]` on; answers the end. Non-finite ones are JSON strings. */
export function writeFloat32(bytes: Uint8Array, at: number, value: number): number {
  float[0] = value;
  const pattern = bits[0]!;
  if ((pattern & 0x7f800000) === 0x7f800000) {
    return writeAscii(bytes, at, value > 0 ? '"Infinity"' : value < 0 ? '"-Infinity"' : '"NaN"');
  }
  // Signs come as they like: a processor guesses this wrong half of the time where it is a branch.
  bytes[at] = 0x2d;
  at += pattern >>> 31;
  const size = Math.abs(value);
  // Below 2^24 the neighbours are at most 1 apart, so no other integer, and no shorter number, reads back to this one.
  if (size < 16777216 && size === Math.floor(size)) {
    const end = at + digitCount(size);
    writeDigits(bytes, end, size, end - at);
    return end;
  }
  shortest(size, pattern & 0x7fffffff);
  return writeDecimal(bytes, at);
}

const scratch = Buffer.alloc(MAX_TEXT);

/** As `writeFloat32`; a value that is no float32 is rounded to one. */
export function float32Text(value: number): string {
  return scratch.toString('latin1', 0, writeFloat32(scratch, 0, Math.fround(value)));
}

/**
 * value: positive, finite; pattern: its bits. Of its nine or ten digits, looks for the most that may become zeros: the
 * nearest multiple of 10, 100, ... as long as that is between the bounds.
 */
function shortest(value: number, pattern: number): void {
  const field = pattern >>> 23;
  const exponent = field === 0 ? Math.floor(Math.log10(value)) : EXPONENT[field]!;
  const scale = powerOfTen(DIGITS - 1 - exponent);
  const middle = value * scale;
  const half = HALF_PLACE[field]! * scale;
  const isPowerOfTwo = (pattern & 0x7fffff) === 0 && field > 1; // its neighbour below is half as far
  let place = 10;
  let zeros = 1;
  let best = 0;
  for (; zeros <= DIGITS; zeros++, place *= 10) {
    const nearest = Math.floor(middle / place + 0.5) * place;
    const distance = Math.abs(nearest - middle);
    const allowed = isPowerOfTwo && nearest < middle ? half / 2 : half;
    if (distance > allowed - UNSURE) {
      const otherMayFit = allowed !== half && place - distance < half + UNSURE;
      if (distance < allowed + UNSURE || otherMayFit) return shortestExactly(value);
      break;
    }
    if (distance > place / 2 - UNSURE) return shortestExactly(value);
    best = nearest;
  }
  if (best === 0) {
    // All nine digits: the nearest whole number is always between the bounds, they are at least 1.4 away.
    best = Math.floor(middle + 0.5);
    if (Math.abs(best - middle) > 0.5 - UNSURE) return shortestExactly(value);
  }
  found[0] = best / (place / 10);
  found[1] = exponent - (DIGITS - 1) + zeros - 1;
}

/** The same in whole numbers: value = 4m quarters of its last place; half a place down and up are its bounds. */
function shortestExactly(value: number): void {
  float[0] = value;
  const field = bits[0]! >>> 23;
  const mantissa = BigInt((bits[0]! & 0x7fffff) | (field === 0 ? 0 : 0x800000));
  const binary = Math.max(field, 1) - 150 - 2;
  const middle = 4n * mantissa;
  const low = middle - (mantissa === 0x800000n && field > 1 ? 1n : 2n);
  const high = middle + 2n;
  const inclusive = mantissa % 2n === 0n; // readers round half to even
  for (let exponent = Math.floor(Math.log10(value)) + 1; ; exponent--) {
    const unit = powerOfTen(exponent);
    if (Math.abs(Math.round(value / unit) * unit - value) > 4 * HALF_PLACE[field]!) continue; // far out
    // One quarter is numerator/denominator units of 10^exponent.
    const numerator = BIG_POWER[Math.max(-exponent, 0)]! << BigInt(Math.max(binary, 0));
    const denominator = BIG_POWER[Math.max(exponent, 0)]! << BigInt(Math.max(-binary, 0));
    const fits = (candidate: bigint): boolean => {
      const units = candidate * denominator;
      const inside = units > low * numerator && units < high * numerator;
      const onBound = inclusive && (units === low * numerator || units === high * numerator);
      // JSON.parse rounds to a double first: that must not lead elsewhere either.
      return (inside || onBound) && Math.fround(Number(`${candidate}e${exponent}`)) === value;
    };
    const down = (middle * numerator) / denominator;
    const candidates = [down, down + 1n].filter(fits);
    if (candidates.length === 0) continue;
    const distance = 2n * middle * numerator - (2n * down + 1n) * denominator;
    const nearest = distance < 0n || (distance === 0n && down % 2n === 0n) ? down : down + 1n;
    found[0] = Number(candidates.length === 2 ? nearest : candidates[0]!);
    found[1] = exponent;
    return;
  }
}

/** Writes what was found as Number#toString would. */
function writeDecimal(bytes: Uint8Array, at: number): number {
  let digits = found[0]!;
  let exponent = found[1]!;
  while (digits % 10 === 0) {
    digits /= 10;
    exponent++;
  }
  const count = digitCount(digits);
  let point = count + exponent; // digits before the point
  if (point > 21 || point <= -6) {
    let end = at + count;
    writeDigits(bytes, end, digits, count);
    if (count > 1) {
      bytes.copyWithin(at + 2, at + 1, end++);
      bytes[at + 1] = 0x2e;
    }
    bytes[end++] = 0x65;
    bytes[end++] = point > 0 ? 0x2b : 0x2d;
    const power = Math.abs(point - 1);
    const powerEnd = end + digitCount(power);
    writeDigits(bytes, powerEnd, power, powerEnd - end);
    return powerEnd;
  }
  if (point <= 0) {
    bytes[at] = 0x30;
    bytes[at + 1] = 0x2e;
    at += 2;
    for (; point < 0; point++) bytes[at++] = 0x30;
    const end = at + count;
    writeDigits(bytes, end, digits, count);
    return end;
  }
  if (point < count) {
    const end = at + count + 1;
    const after = count - point;
    const rest = writeDigits(bytes, end, digits, after);
    bytes[at + point] = 0x2e;
    writeDigits(bytes, at + point, rest, point);
    return end;
  }
  writeDigits(bytes, at + count, digits, count);
  at += count;
  for (; point > count; point--) bytes[at++] = 0x30;
  return at;
}

/** Writes the last `count` digits of a number below 2^31 before bytes[end]; answers the digits left over. */
function writeDigits(bytes: Uint8Array, end: number, value: number, count: number): number {
  for (let i = 0; i < count; i++) {
    const tenth = (value / 10) | 0;
    bytes[--end] = 0x30 + value - tenth * 10;
    value = tenth;
  }
  return value;
}

/** value: below 1e9, and whole; 0 has one digit. */
function digitCount(value: number): number {
  if (value < 10000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 1000000) return value < 100000 ? 5 : 6;
  return value < 100000000 ? (value < 10000000 ? 7 : 8) : 9;
}

function writeAscii(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
  return at;
}
