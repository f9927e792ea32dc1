// A number as requests write it: JSON's, or the word for one that JSON cannot write. Which of them makes sense where it
// stands is not said here.

import { z } from 'zod';

const WORDS = new Map<unknown, number>([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

type Written = number | 'NaN' | 'Infinity' | '-Infinity';

const written = z
  .custom<Written>((value) => typeof value === 'number' || WORDS.has(value), {
    error: ({ input }) =>
      input === undefined ? 'is required' : 'must be a number, "NaN", "Infinity" or "-Infinity"',
  })
  .register(z.globalRegistry, {
    id: 'Float',
    description: 'A number, or one of those that JSON has no words for.',
    anyOf: [{ type: 'number' }, { type: 'string', enum: [...WORDS.keys()] }],
  });

/** Gives the number itself; what it gave, it takes again. */
export const number = written.transform((value) => WORDS.get(value) ?? (value as number));

/** One that may be absent. The document keeps the default, which zod takes out of what it transforms. */
export function numberOr(fallback: number) {
  return number.default(fallback).meta({ 'x-kept-default': fallback });
}

/** A number as answers write it; null where there is none. */
export function wireNumber(value: number): Written;
export function wireNumber(value: number | null | undefined): Written | null;
export function wireNumber(value: number | null | undefined): Written | null {
  if (value === null || value === undefined) return null;
  return Number.isFinite(value) ? value : (String(value) as Written);
}
