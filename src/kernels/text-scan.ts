// Ways through JSON that look at nothing but its brackets, strings and white space.

/** The next `[` outside strings, or `end` and beyond. */
export function nextBracket(at: usize, end: usize): usize {
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
export function stringEnd(at: usize, end: usize): usize {
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
export function afterSpace(at: usize): usize {
  let byte = load<u8>(at);
  while (byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09) byte = load<u8>(++at);
  return at;
}
