// The plainest statistics: one element after another, in float64.

export function moments(values: readonly number[]) {
  const sum = values.reduce((total, x) => total + x, 0);
  const mean = sum / values.length;
  const numbers = values.filter((x) => !Number.isNaN(x));
  const finite = values.filter(Number.isFinite);
  return {
    count: values.length,
    sum,
    squares: values.reduce((total, x) => total + x * x, 0),
    deviations: values.reduce((total, x) => total + (x - mean) ** 2, 0),
    min: numbers.reduce((least, x) => Math.min(least, x), Infinity),
    max: numbers.reduce((most, x) => Math.max(most, x), -Infinity),
    least: finite.reduce((least, x) => Math.min(least, x), Infinity),
    most: finite.reduce((most, x) => Math.max(most, x), -Infinity),
    nan: values.length - numbers.length,
    infinity: numbers.length - finite.length,
    zeros: values.filter((x) => x === 0).length,
  };
}

export function histogram(values: readonly number[], edges: readonly number[]): number[] {
  const last = edges.length - 2;
  return edges.slice(1).map((above, bin) => {
    const below = edges[bin]!;
    return values.filter((x) => x >= below && (x < above || (bin === last && x <= above))).length;
  });
}
