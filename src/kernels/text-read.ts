// Finds the lists of numbers in a JSON text and reads them: nested lists, all of one length at each depth, of numbers,
// true, false, "NaN", "Infinity" and "-Infinity". Anything else, wrong JSON too, is passed over: it is for others to say
// what it is. Each byte is looked at once, however lists are nested. Behind the text stands a 0, and 63 bytes to be read.

import { column, count, COUNTS, END, EXTENTS, HARD, LIST, MAX_RANK, NOT_WHOLE, ODD, Reading } from './text-reading';
import { readRow } from './text-row';
import { afterSpace, nextBracket, stringEnd } from './text-scan';

const COLON: u32 = 0x3a;
/** An extent, while no list of its depth has ended. */
const UNKNOWN: u32 = u32.MAX_VALUE;

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
    if (found == LIST && isLong(reading) && !isKey(reading.at)) return LIST;
    if (leave(reading) && found != LIST) return ODD;
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

/** The number from `at` to `after`, read by the caller. As `next_list`, 3: now the list is none; or 0. */
export function take_number(state: usize, value: f64): i32 {
  const reading = changetype<Reading>(state);
  reading.at = reading.after;
  // JSON.parse makes Infinity of 1e400, and that is no number.
  if (value - value != 0) return leave(reading) ? ODD : END;
  if (value != trunc(value)) reading.traits |= NOT_WHOLE;
  reading.min = min(reading.min, value);
  reading.max = max(reading.max, value);
  store<f32>(reading.out, <f32>value);
  reading.out += 4;
  count(reading, state, 1);
  return END;
}

// @ts-ignore: decorator
@inline
function isLong(reading: Reading): bool {
  return (reading.out - reading.first) >> 2 >= reading.least;
}

/** A list that is not taken: what comes after is read as if there had been none. Answers whether it was long. */
function leave(reading: Reading): bool {
  const wasLong = isLong(reading);
  reading.depth = 0;
  reading.out = reading.first;
  return wasLong;
}

function begin(reading: Reading): void {
  reading.from = reading.at;
  reading.first = reading.out;
  reading.rank = 0;
  reading.traits = 0;
  reading.min = Infinity;
  reading.max = -Infinity;
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

