import { expect, it } from 'vitest';
import { Patience } from '#src/runtime/patience.js';

it('spends less than three longest looks on a thousand waits in vain', () => {
  const patience = new Patience(1);
  let spent = 0;
  for (let i = 0; i < 1000; i++) {
    spent += patience.ms;
    patience.disappointed();
  }
  expect(spent).toBeLessThan(3);
});

it('looks as long as it may once that was rewarded, and looks again after many waits without', () => {
  const patience = new Patience(1);
  for (let i = 0; i < 100; i++) patience.disappointed();
  patience.rewarded();
  expect(patience.ms).toBe(1);
  const looks = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    patience.disappointed();
    looks.add(patience.ms);
  }
  expect(Math.min(...looks)).toBe(0);
  const last: number[] = [];
  for (let i = 0; i < 200; i++) {
    patience.disappointed();
    last.push(patience.ms);
  }
  expect(last.filter((ms) => ms > 0).length).toBeGreaterThan(0);
});
