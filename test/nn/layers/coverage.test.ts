// Every type of layer is held to PyTorch's numbers, in eval mode and in train mode.

import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LAYERS } from '#src/nn/layers/table.js';
import { casesOf, modesOf } from './cases.js';

/** Without a forward of their own, read from JSON alone, or another type once they know their extents. */
const ELSEWHERE = new Set(['ModuleList', 'ModuleDict', 'Graph', 'Lambda', 'Residual', 'Parallel']);

const folder = new URL('../../fixtures/layers/', import.meta.url);
const families = readdirSync(folder).flatMap((file) => /^(.*)\.json$/.exec(file)?.[1] ?? []);

/** All types that are named in an architecture, which may be in PyTorch's notation. */
function typesIn(architecture: unknown): string[] {
  const text = JSON.stringify(architecture);
  return Object.keys(LAYERS).filter((type) => new RegExp(`\\b${type}\\b`).test(text));
}

const seen = { eval: new Set<string>(), train: new Set<string>() };
for (const family of families) {
  for (const entry of casesOf(family)) {
    for (const mode of modesOf(entry)) {
      for (const type of typesIn([entry.architecture, entry.repr])) seen[mode].add(type);
    }
  }
}

describe.each(['eval', 'train'] as const)('in %s mode', (mode) => {
  const types = Object.keys(LAYERS).filter((type) => !ELSEWHERE.has(type) && !type.startsWith('Lazy'));
  it.each(types)('%s has a case', (type) => expect(seen[mode]).toContain(type));
});
