// What the tests of the notation share: a text as the modules it means, printed again.

import { readArchitecture } from '#src/nn/architecture.js';
import type { Module } from '#src/nn/module.js';
import { parseNotation } from '#src/nn/notation/parse.js';
import { printModule } from '#src/nn/notation/print.js';

const LIMITS = { maxModules: 10_000, maxDepth: 64 };

/** The root module of a JSON architecture or a text; throws where there is a fault. */
export function built(given: unknown): Module {
  const read = readArchitecture(typeof given === 'string' ? architectureOf(given) : given, LIMITS);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read.root;
}

export function reprinted(text: string): string {
  return printModule(built(text));
}

export function architectureOf(text: string): unknown {
  const parsed = parseNotation(text);
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return parsed.architecture;
}

/** `line 1, column 5: message` for each fault; empty for a sound text. */
export function faultsOf(text: string): string[] {
  const parsed = parseNotation(text);
  return 'faults' in parsed ? parsed.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}
