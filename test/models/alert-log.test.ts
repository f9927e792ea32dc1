import { expect, it } from 'vitest';
import { AlertLog, MAX_ALERTS, type Alert } from '#src/models/alert-log.js';

const alert = (revision: number): Alert => ({ revision, path: 'weight' }) as Alert;

it('is read place by place, in order, from any revision', () => {
  const log = new AlertLog();
  for (const revision of [2, 2, 5]) log.append(alert(revision));
  const read = [];
  for (let next = log.next(log.placeOf(2)); next; next = log.next(next.after)) read.push(next.alert.revision);
  expect(read).toEqual([2, 2, 5]);
  expect(log.next(log.placeOf(3))?.alert.revision).toBe(5);
  expect(log.placeOf(6)).toBe(log.end);
  expect(log.next(log.end)).toBeUndefined();
});

it('keeps the newest; a place before them leads to the oldest of these', () => {
  const log = new AlertLog();
  for (let revision = 1; revision <= MAX_ALERTS + 10; revision++) log.append(alert(revision));
  expect(log.end).toBe(MAX_ALERTS + 10);
  expect(log.next(0)).toMatchObject({ alert: { revision: 11 }, after: 11 });
  expect(log.next(log.placeOf(1))?.alert.revision).toBe(11);
});

it('tells its listeners of each, until they leave', () => {
  const log = new AlertLog();
  let told = 0;
  const leave = log.subscribe(() => told++);
  log.append(alert(1));
  leave();
  log.append(alert(2));
  expect(told).toBe(1);
});
