// Decimal digits to the nearest float64, ties to even, as JSON.parse has it: Clinger's exact cases, then Lemire's
// (Number Parsing at a Gigabyte per Second, 2021). What neither decides is for the caller to read in another way.

import { exactPower, LEAST_POWER, MOST_POWER, powerHigh, powerLow } from './text-powers';

/** Told for digits that are not decided here: no number is read as NaN. */
export const UNDECIDED: f64 = NaN;

const MOST_EXACT: u64 = 1 << 53;

/** digits · 10^exponent. */
// @ts-ignore: decorator
@inline
export function nearestFloat64(digits: u64, exponent: i32): f64 {
  if (exponent == 0 || digits == 0) return <f64>digits;
  if (digits <= MOST_EXACT && <u32>(exponent + 22) <= 44) {
    return exponent < 0 ? <f64>digits / exactPower(-exponent) : <f64>digits * exactPower(exponent);
  }
  return byProduct(digits, exponent);
}

// @ts-ignore: decorator
@inline
function highProduct(a: u64, b: u64): u64 {
  const aLow = <u64>(<u32>a);
  const aHigh = a >> 32;
  const bLow = <u64>(<u32>b);
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + <u64>(<u32>middle);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

/** digits not 0. */
function byProduct(digits: u64, exponent: i32): f64 {
  if (exponent < LEAST_POWER || exponent > MOST_POWER) return UNDECIDED;
  const shift = clz(digits);
  const w = digits << shift;
  let high = highProduct(w, powerHigh(exponent));
  let low = w * powerHigh(exponent);
  if ((high & 0x1ff) == 0x1ff) {
    const more = highProduct(w, powerLow(exponent));
    low += more;
    high += u64(more > low);
  }
  if (low == u64.MAX_VALUE) return UNDECIDED;
  const upper = high >> 63;
  // 54 bits: float64's 53, and one to round by.
  let mantissa = high >> (upper + 9);
  // Halfway between two, which only these exponents can be: to the even one.
  if (low <= 1 && exponent >= -4 && exponent <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high) {
    mantissa &= ~1;
  }
  mantissa = (mantissa + (mantissa & 1)) >> 1;
  // floor(log2(10^exponent)) + 63, and float64's bias. A mantissa that was rounded up to 2^53 carries into it.
  const power = ((exponent * 217706) >> 16) + 63 + <i32>upper - <i32>shift + 1023;
  return reinterpret<f64>(((<u64>power - 1) << 52) + mantissa);
}
