// What every benchmark shares: the median, and one way to print and keep results.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Prints a table and writes bench/results/<name>.json with the machine and versions. */
export function report(name: string, results: Readonly<Record<string, number>>): void {
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  console.log(`\n${name}  (${machine.cpu}, ${machine.cores} cores, Node ${machine.node})`);
  for (const [label, value] of Object.entries(results)) {
    console.log(`  ${label.padEnd(48)} ${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}`);
  }
  mkdirSync('bench/results', { recursive: true });
  writeFileSync(`bench/results/${name}.json`, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
