import { expect, it } from 'vitest';
import { Trust } from '#src/runtime/trust.js';

function shared(trust: Trust, steps: number, sharedMs: number): number {
  let asked = 0;
  for (let i = 0; i < steps; i++) {
    if (!trust.ask()) continue;
    asked++;
    trust.learn(sharedMs, 2);
  }
  return asked;
}

it('shares every step as long as that takes no longer than alone', () => {
  expect(shared(new Trust(), 1000, 2)).toBe(1000);
});

it('shares few of many steps where help costs time, and all again once it does not', () => {
  const trust = new Trust();
  expect(shared(trust, 10_000, 3)).toBeLessThan(60);
  expect(shared(trust, 1000, 1)).toBeGreaterThan(700);
  expect(shared(trust, 1000, 1)).toBe(1000);
});
