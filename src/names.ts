// The one rule for what clients name: models, data sets.

import { ApiError } from './errors.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** Throws NAME_INVALID. */
export function checkName(name: string): void {
  if (!NAME.test(name) || FORBIDDEN.has(name)) throw new ApiError('NAME_INVALID', [JSON.stringify(name)]);
}
