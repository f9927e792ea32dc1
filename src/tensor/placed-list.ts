// Lists of numbers that stand in memory already, read from a request's text by a worker. To everybody a placed list is
// the array that JSON.parse would have made, and becomes one when somebody looks inside: then its text is parsed.
// Only who asks `knownOf` or `numbersOf` sees what the worker found; so nobody else can tell how a tensor arrived.

import type { FoundFaults } from './fault.js';
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

/** What a worker found of a list that is no tensor; paths of its faults begin inside the list. */
export interface JudgedList {
  readonly shape: Shape;
  readonly faults: FoundFaults;
}

const known = new WeakMap<object, PlacedNumbers | JudgedList>();

/** What is known of a placed list; undefined for everything else. */
export function knownOf(value: unknown): PlacedNumbers | JudgedList | undefined {
  return typeof value === 'object' && value !== null ? known.get(value) : undefined;
}

/** The numbers of a placed list. */
export function numbersOf(value: unknown): PlacedNumbers | undefined {
  const found = knownOf(value);
  return found && 'floats' in found ? found : undefined;
}

/** `text`: the list's JSON, asked for once, when somebody looks inside. */
export function placedList(found: PlacedNumbers | JudgedList, text: () => string): unknown[] {
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
    known.delete(proxy);
    return read(list);
  };
  const proxy: unknown[] = new Proxy<unknown[]>([], {
    get: (target, key, receiver) =>
      key === 'length' && unread ? found.shape[0] : (Reflect.get(read(target), key, receiver) as unknown),
    has: (target, key) => Reflect.has(read(target), key),
    ownKeys: (target) => Reflect.ownKeys(read(target)),
    getOwnPropertyDescriptor: (target, key) => Reflect.getOwnPropertyDescriptor(read(target), key),
    set: (target, key, value, receiver) => Reflect.set(changing(target), key, value, receiver),
    defineProperty: (target, key, descriptor) => Reflect.defineProperty(changing(target), key, descriptor),
    deleteProperty: (target, key) => Reflect.deleteProperty(changing(target), key),
    preventExtensions: (target) => Reflect.preventExtensions(read(target)),
  });
  known.set(proxy, found);
  return proxy;
}
