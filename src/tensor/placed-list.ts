// Lists of numbers that stand in memory already, read from a request's text by a worker. To everybody a placed list is
// the array that JSON.parse would have made, and becomes one when somebody looks inside: then its text is parsed.
// Only who asks `numbersOf` sees the numbers as they stand; so nobody else can tell how a tensor arrived.

import type { Shape } from './shape.js';

export interface PlacedNumbers {
  /** The extents of the lists. */
  readonly shape: Shape;
  /** Row-major; true is 1. A view of memory that is held as long as the request's body is in use. */
  readonly floats: Float32Array;
  /** As `inspectTensor` tells. */
  readonly integral: boolean;
  /** There are true or false among them. */
  readonly booleans: boolean;
  /** The least and most of the finite numbers, before they were rounded to float32. */
  readonly min: number;
  readonly max: number;
}

const placed = new WeakMap<object, PlacedNumbers>();

/** The numbers of a placed list; undefined for everything else. */
export function numbersOf(value: unknown): PlacedNumbers | undefined {
  return typeof value === 'object' && value !== null ? placed.get(value) : undefined;
}

/** `text`: the list's JSON, asked for once, when somebody looks inside. */
export function placedList(numbers: PlacedNumbers, text: () => string): unknown[] {
  let unread: (() => string) | undefined = text;
  const read = (list: unknown[]): unknown[] => {
    if (unread) {
      for (const element of JSON.parse(unread()) as unknown[]) list.push(element);
      unread = undefined;
    }
    return list;
  };
  /** Changed, it is a list like any other. */
  const changing = (list: unknown[]): unknown[] => {
    placed.delete(proxy);
    return read(list);
  };
  const proxy: unknown[] = new Proxy<unknown[]>([], {
    get: (target, key, receiver) =>
      key === 'length' && unread ? numbers.shape[0] : (Reflect.get(read(target), key, receiver) as unknown),
    has: (target, key) => Reflect.has(read(target), key),
    ownKeys: (target) => Reflect.ownKeys(read(target)),
    getOwnPropertyDescriptor: (target, key) => Reflect.getOwnPropertyDescriptor(read(target), key),
    set: (target, key, value, receiver) => Reflect.set(changing(target), key, value, receiver),
    defineProperty: (target, key, descriptor) => Reflect.defineProperty(changing(target), key, descriptor),
    deleteProperty: (target, key) => Reflect.deleteProperty(changing(target), key),
    preventExtensions: (target) => Reflect.preventExtensions(read(target)),
  });
  placed.set(proxy, numbers);
  return proxy;
}
