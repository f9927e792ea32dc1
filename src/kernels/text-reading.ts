// Where the reading of a text stands, in memory; src/runtime/text.ts has the same places.

export const MAX_RANK: u32 = 64;

/** The caller sets `at`, `end`, `out`, `outEnd`, `least`, and `depth` to 0; `next_list` begins there and goes on. */
@unmanaged
export class Reading {
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

export const NOT_WHOLE: u32 = 1;
export const BOOLS: u32 = 2;
export const NOT_FINITE: u32 = 4;

/** After these come two columns of MAX_RANK words: the extent at each depth, and how many elements there were so far. */
export const EXTENTS = offsetof<Reading>();
export const COUNTS = EXTENTS + (MAX_RANK << 2);

/** What reading tells: there is no more, a list (or a part of one) was read, a number for the caller, no regular list. */
export const END = 0;
export const LIST = 1;
export const HARD = 2;
export const ODD = 3;

/** The bytes of a Reading with its columns. */
export function reading_bytes(): usize {
  return COUNTS + (MAX_RANK << 2);
}

// @ts-ignore: decorator
@inline
export function column(state: usize, offset: usize, depth: u32): usize {
  return state + offset + (<usize>(depth - 1) << 2);
}

// @ts-ignore: decorator
@inline
export function count(reading: Reading, state: usize, elements: u32): void {
  const at = column(state, COUNTS, reading.depth);
  store<u32>(at, load<u32>(at) + elements);
}
