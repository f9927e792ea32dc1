// The short way for text that is numbers and nothing else, as files of numbers mostly are: from its bytes, without a
// string for each cell. It gives the numbers that JavaScript's Number gives, and leaves to others what is not plain.

export interface PlainRows {
  /** In bytes from the text's first. */
  readonly from: number;
  readonly to: number;
  /** The first one's. */
  readonly row: number;
}

const [LINE_FEED, RETURN, COMMA, PLUS, MINUS, POINT, ZERO] = [10, 13, 44, 43, 45, 46, 48];
const [SPACE, TAB] = [32, 9];
const [EXPONENT, SMALL] = [69, 0x20];
/** Powers of ten that float64 has exactly. */
const POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** One more digit may not fit into 53 bits. */
const MOST_MANTISSA = 2 ** 49;

const isSpace = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;

/**
 * Writes rows of cells, one cell for each target in each row. false where there is anything but finite numbers, commas,
 * spaces and the ends of lines, or another number of cells: then some were written, and the text is to be read in another way.
 */
export function writePlainRows(
  text: Uint8Array,
  { from, to, row: first }: PlainRows,
  targets: readonly Float32Array[],
): boolean {
  const bytes = Buffer.from(text.buffer as ArrayBuffer, text.byteOffset, text.byteLength);
  let row = first;
  let column = 0;
  let at = from;
  while (at < to) {
    while (isSpace(bytes[at])) at++;
    if (column === 0 && bytes[at] === RETURN && bytes[at + 1] === LINE_FEED) at++;
    if (column === 0 && (at >= to || bytes[at] === LINE_FEED)) {
      at++;
      continue;
    }
    const start = at;
    const negative = bytes[at] === MINUS;
    if (negative || bytes[at] === PLUS) at++;
    let [mantissa, digits, scale] = [0, 0, 0];
    let exact = true;
    for (let isFraction = false; ; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit >= 0 && digit <= 9) {
        exact &&= mantissa < MOST_MANTISSA;
        mantissa = mantissa * 10 + digit;
        digits++;
        if (isFraction) scale--;
      } else if (bytes[at] === POINT && !isFraction) isFraction = true;
      else break;
    }
    if (digits === 0) return false;
    if ((bytes[at]! & ~SMALL) === EXPONENT) {
      at++;
      const sign = bytes[at] === MINUS ? -1 : 1;
      if (sign < 0 || bytes[at] === PLUS) at++;
      const begin = at;
      let exponent = 0;
      for (; at < to && bytes[at]! >= ZERO && bytes[at]! <= ZERO + 9; at++)
        exponent = Math.min(exponent * 10 + bytes[at]! - ZERO, 1e6);
      if (at === begin) return false;
      scale += sign * exponent;
    }
    if (at > to) return false;
    // Both operands are exact, so that the one operation rounds as if the text had been read in one.
    exact &&= Math.abs(scale) < POWERS.length;
    const size = scale < 0 ? mantissa / POWERS[-scale]! : mantissa * POWERS[scale]!;
    const value = !exact ? Number(bytes.toString('latin1', start, at)) : negative ? -size : size;
    if (value - value !== 0) return false;
    if (column === targets.length) return false;
    targets[column]![row] = value;
    column++;
    while (at < to && isSpace(bytes[at])) at++;
    if (at < to && bytes[at] === COMMA) {
      at++;
      if (at === to) return false;
      continue;
    }
    if (at < to && bytes[at] === RETURN) at++;
    if (at < to && bytes[at] !== LINE_FEED) return false;
    if (column !== targets.length) return false;
    at++;
    row++;
    column = 0;
  }
  return column === 0;
}
