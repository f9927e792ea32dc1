// Finds the lists of numbers in a JSON text and reads them: nested lists, all of one length at each depth, of numbers,
// true, false, "NaN", "Infinity" and "-Infinity". Anything else, wrong JSON too, is passed over: it is for others to say
// what it is. Each byte is looked at once, however lists are nested. Behind the text stands a 0, and 63 bytes to be read.

import { ZEROS } from './text-float';
import { nearestFloat64, UNDECIDED } from './text-number';

const MAX_RANK: u32 = 64;
const UNKNOWN: u32 = u32.MAX_VALUE;

/**
 * Where reading stands, in memory: `next_list` begins and goes on from there, and the caller sets `at`, `end`, `out`,
 * `outEnd` and `least` before the first call. src/runtime/text.ts has the same places.
 */
@unmanaged
class Reading {
  /** The next byte. */
  at: u32;
  /** Past the last byte of the text. */
  end: u32;
  /** Where the next number goes, as float32. */
  out: u32;
  outEnd: u32;
  /** Lists of fewer numbers are passed over. */
  least: u32;
  /** In a list: how deep; 0 outside. */
  depth: u32;
  /** Where the number ends that the caller must read. */
  after: u32;
  /** How deep its lists go. */
  rank: u32;
  /** The list's first byte, and its first number's place. */
  from: u32;
  first: u32;
  /** NOT_WHOLE | BOOLS | NOT_FINITE. */
  traits: u32;
  /** The least and most of its finite numbers. */
  min: f64;
  max: f64;
}

const NOT_WHOLE: u32 = 1;
const BOOLS: u32 = 2;
const NOT_FINITE: u32 = 4;

/** After these come two columns of MAX_RANK words: the extent at each depth, and how many elements there were so far. */
const EXTENTS = offsetof<Reading>();
const COUNTS = EXTENTS + (MAX_RANK << 2);

/** What `next_list` tells. */
const END = 0;
const LIST = 1;
const HARD = 2;
const ODD = 3;

/** The bytes of a Reading with its columns. */
export function reading_bytes(): usize {
  return COUNTS + (MAX_RANK << 2);
}

/**
 * Goes on to the next list: 1, one was read, from `from` to `at`; 2, there is a number at `at` that the caller must
 * read and hand to `take_number`; 3, the list at `from` began as one but is none, which showed at `at`; 0, the text is
 * at its end. After 3 reading goes on where it was, or where the caller sets `at`.
 */
export function next_list(state: usize): i32 {
  const reading = changetype<Reading>(state);
  while (true) {
    if (reading.depth == 0) {
      const from = nextBracket(reading.at, reading.end);
      reading.at = <u32>from;
      if (from >= reading.end) return END;
      begin(reading);
    }
    const found = readList(reading, state);
    if (found == HARD) return HARD;
    reading.depth = 0;
    const isLong = (reading.out - reading.first) >> 2 >= reading.least;
    if (found == LIST && isLong && !isKey(reading.at)) return LIST;
    reading.out = reading.first;
    if (found != LIST && isLong) return ODD;
  }
}

/** A list in the place of a key is wrong JSON: whoever reads the rest has to see it. */
function isKey(after: usize): bool {
  return load<u8>(afterSpace(after)) == COLON;
}

/** Past the end of the list at `at`, whatever is in it; 0 where it has none before `end`, or stands for a key. */
export function list_end(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == 0x22) {
      at = stringEnd(at + 1, end);
      continue;
    }
    at++;
    depth += i32(byte == 0x5b) - i32(byte == 0x5d);
    if (depth == 0) return isKey(at) ? 0 : at;
  }
  return 0;
}

/** The number from `at` to `after`, read by the caller. */
export function take_number(state: usize, value: f64): void {
  const reading = changetype<Reading>(state);
  reading.at = reading.after;
  if (value - value != 0) {
    leave(reading);
    return;
  }
  if (value != trunc(value)) reading.traits |= NOT_WHOLE;
  reading.min = min(reading.min, value);
  reading.max = max(reading.max, value);
  store<f32>(reading.out, <f32>value);
  reading.out += 4;
  count(reading, state, 1);
}

/** A list that is not taken: what comes after is read as if there had been none. */
function leave(reading: Reading): void {
  reading.depth = 0;
  reading.out = reading.first;
}

function begin(reading: Reading): void {
  reading.from = reading.at;
  reading.first = reading.out;
  reading.rank = 0;
  reading.traits = 0;
  reading.min = Infinity;
  reading.max = -Infinity;
}

/** The next `[` outside strings, or `end` and beyond. */
function nextBracket(at: usize, end: usize): usize {
  const quote = i8x16.splat(0x22);
  const bracket = i8x16.splat(0x5b);
  while (at < end) {
    const bytes = v128.load(at);
    const hits = i8x16.bitmask(v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, bracket)));
    if (hits == 0) {
      at += 16;
      continue;
    }
    at += ctz(hits);
    if (at >= end) break;
    if (load<u8>(at) == 0x5b) return at;
    at = stringEnd(at + 1, end);
  }
  return end;
}

/** Past the quote that ends the string whose inside begins at `at`. */
function stringEnd(at: usize, end: usize): usize {
  const quote = i8x16.splat(0x22);
  const escape = i8x16.splat(0x5c);
  while (at < end) {
    const bytes = v128.load(at);
    const hits = i8x16.bitmask(v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, escape)));
    if (hits == 0) {
      at += 16;
      continue;
    }
    at += ctz(hits);
    if (load<u8>(at) == 0x22) return at + 1;
    at += 2;
  }
  return end;
}

// @ts-ignore: decorator
@inline
function afterSpace(at: usize): usize {
  let byte = load<u8>(at);
  while (byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09) byte = load<u8>(++at);
  return at;
}

// @ts-ignore: decorator
@inline
function column(state: usize, offset: usize, depth: u32): usize {
  return state + offset + (<usize>(depth - 1) << 2);
}

// @ts-ignore: decorator
@inline
function count(reading: Reading, state: usize, elements: u32): void {
  const at = column(state, COUNTS, reading.depth);
  store<u32>(at, load<u32>(at) + elements);
}

/** From the list's bracket, or from behind a value in it where its reading was left off. END: it is no such list. */
function readList(reading: Reading, state: usize): i32 {
  const end: usize = reading.end;
  let behindValue = reading.depth > 0;
  while (true) {
    let at = afterSpace(reading.at);
    if (at >= end) return stop(reading, end);
    const byte = load<u8>(at);
    if (!behindValue) {
      if (byte != 0x5b) {
        if (reading.depth != reading.rank) return stop(reading, at);
        reading.at = <u32>at;
        const read = readRow(reading, state);
        if (read != LIST) return read;
        behindValue = true;
        continue;
      }
      if (!open(reading, state)) return stop(reading, at);
      at = afterSpace(at + 1);
      reading.at = <u32>at;
      behindValue = load<u8>(at) == 0x5d;
      continue;
    }
    reading.at = <u32>at + 1;
    if (byte == 0x2c) {
      behindValue = false;
      continue;
    }
    if (byte != 0x5d) return stop(reading, at);
    if (!close(reading, state)) return END;
    if (reading.depth == 0) return LIST;
  }
}

function stop(reading: Reading, at: usize): i32 {
  reading.at = <u32>at;
  return END;
}

/** One list deeper; false where lists do not go that deep. Once there are numbers, all lists go as deep as theirs. */
function open(reading: Reading, state: usize): bool {
  const depth = reading.depth + 1;
  if (depth > reading.rank) {
    if (depth > MAX_RANK || reading.out != reading.first) return false;
    reading.rank = depth;
    store<u32>(column(state, EXTENTS, depth), UNKNOWN);
  }
  store<u32>(column(state, COUNTS, depth), 0);
  reading.depth = depth;
  return true;
}

/** The end of a list: false where it is not as long as the others of its depth. */
function close(reading: Reading, state: usize): bool {
  const depth = reading.depth;
  const length = load<u32>(column(state, COUNTS, depth));
  const extent = column(state, EXTENTS, depth);
  if (load<u32>(extent) == UNKNOWN) store<u32>(extent, length);
  else if (load<u32>(extent) != length) return false;
  reading.depth = depth - 1;
  if (depth > 1) count(reading, state, 1);
  return true;
}

const DOT: u32 = 0x2e;
const COLON: u32 = 0x3a;
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
function readRow(reading: Reading, state: usize): i32 {
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
