// Globs over dotted paths, against regular expressions that say the same.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_PATTERN, nearestPath, PathPattern } from '#src/nn/path-pattern.js';

const matches = (pattern: string, path: string): boolean => new PathPattern(pattern).matches(path);

describe('a pattern', () => {
  it.each([
    ['0.weight', ['0.weight'], ['0.weights', '10.weight', '0', '']],
    ['0.*', ['0.weight', '0.bias'], ['0.net.weight', '1.weight', '0']],
    ['*.weight', ['0.weight', 'block 1.weight'], ['weight', '0.net.weight']],
    ['**.weight', ['weight', '0.weight', '0.net.1.weight'], ['0.weight_g', '0.myweight', 'weight.0']],
    ['0.**', ['0.weight', '0.net.weight'], ['0', '1.weight']],
    ['0.**.bias', ['0.bias', '0.a.bias', '0.a.b.bias'], ['0.xbias', '1.bias']],
    ['**', ['', '0', 'a.b.c'], []],
    ['*', ['', '0', 'weight'], ['a.b']],
    ['layer*.w*t', ['layer1.weight', 'layer.wt'], ['layer1.net.weight', 'layer1.weights']],
    ['layer**bias', ['layerbias', 'layer1.bias', 'layer1.a.bias'], ['layer1.weight']],
    ['a.**.b.**.c', ['a.b.c', 'a.x.b.y.z.c'], ['a.c.b', 'a.xb.c']],
    ['**.**.x', ['x', 'a.x', 'a.b.x'], ['a.b']],
    ['(a|b)+', ['(a|b)+'], ['a', 'ab']],
    ['[0-9].*', ['[0-9].w'], ['1.w']],
    ['**a**', ['a', 'x.ya.z'], ['', 'x.y']],
  ] as const)('%j', (pattern, yes, no) => {
    expect(yes.filter((path) => !matches(pattern, path))).toEqual([]);
    expect(no.filter((path) => matches(pattern, path))).toEqual([]);
  });

  it('matches the path that is written like it, whatever is in its names', () => {
    fc.assert(fc.property(fc.string({ maxLength: MAX_PATTERN }), (path) => matches(path, path)));
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('*', '.', 'a') }), (path) => matches(path, path)),
    );
  });

  it('matches what a regular expression says it does', () => {
    const text = (...units: string[]) => fc.string({ unit: fc.constantFrom(...units), maxLength: 12 });
    fc.assert(
      fc.property(text('*', '**', '.', 'a', 'b'), text('.', 'a', 'b', 'ab'), (pattern, path) => {
        const source = pattern
          .replace(/\*\*+/g, '**')
          .replace(/(^|\.)((?:\*\*\.)+)/g, (_, start: string) => `${start}N`)
          .replace(
            /\*\*|\*|\.|N/g,
            (token) => ({ '**': '.*', '*': '[^.]*', '.': '\\.', N: '(?:.*\\.)?' })[token]!,
          );
        expect(matches(pattern, path)).toBe(new RegExp(`^${source}$`, 's').test(path));
      }),
      { numRuns: 5000 },
    );
  });

  it('of the longest kind is decided in bounded time, however often it could be tried again', () => {
    const pattern = '*a'.repeat(MAX_PATTERN / 2 - 1) + '*b';
    expect(matches(pattern, 'a'.repeat(10_000))).toBe(false);
    expect(matches(pattern.replaceAll('*', '**').slice(0, MAX_PATTERN), 'a.'.repeat(5000))).toBe(false);
  });

  it(`beyond ${MAX_PATTERN} characters is refused`, () => {
    expect(() => new PathPattern('*'.repeat(MAX_PATTERN + 1))).toThrow(RangeError);
  });
});

describe('a pattern that matches nothing has a nearest path', () => {
  const paths = ['0.weight', '0.bias', 'block 1.0.weight', 'head.weight'];
  it.each([
    ['0.wieght', '0.weight'],
    ['heda.*', 'head.weight'],
    ['blok 1.*.weight', 'block 1.0.weight'],
    ['**.wieght', '0.weight'],
    ['encoder.*', undefined],
    ['*.*.*.*', undefined],
  ])('%s: %s', (pattern, path) => expect(nearestPath(new PathPattern(pattern), paths)).toBe(path));
});
