// How a step's work falls into parts. An output's bits do not depend on the part that it is in.

export interface Range {
  readonly from: number;
  readonly count: number;
}

/** Cuts 0 .. n into `parts` ranges (the last ones may be empty) whose beginnings are multiples of `unit`. */
export function ranges(n: number, parts: number, unit: number): readonly Range[] {
  const step = Math.ceil(n / unit / parts) * unit;
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.min(part * step, n);
    return { from, count: Math.min(step, n - from) };
  });
}

/** The number of ranges that are not empty, when n is cut into `wanted`. */
export function partsOf(n: number, wanted: number, unit: number): number {
  const units = Math.ceil(n / unit);
  return units === 0 ? 1 : Math.ceil(units / Math.ceil(units / wanted));
}
