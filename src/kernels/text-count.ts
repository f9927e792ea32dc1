// How often a byte stands in a text: its commas bound the numbers that it has.

/** Sixteen at a time; a lane counts to 255 before it is added up. */
export function count_byte(address: usize, bytes: usize, byte: i32): usize {
  const wanted = i8x16.splat(<i8>byte);
  const end = address + bytes;
  let total: usize = 0;
  while (end - address >= 16) {
    let lanes = i8x16.splat(0);
    const stop = min<usize>((end - address) >> 4, 255);
    for (let i: usize = 0; i < stop; i++, address += 16) {
      lanes = i8x16.sub(lanes, i8x16.eq(v128.load(address), wanted));
    }
    const pairs = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(lanes));
    total +=
      i32x4.extract_lane(pairs, 0) +
      i32x4.extract_lane(pairs, 1) +
      i32x4.extract_lane(pairs, 2) +
      i32x4.extract_lane(pairs, 3);
  }
  for (; address < end; address++) total += usize(load<u8>(address) == <u8>byte);
  return total;
}
