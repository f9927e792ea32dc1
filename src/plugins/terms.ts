// On which terms a request waits: the headers `Timeout` and `Priority`, or the fields of these names in a forward's body.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiError } from '../errors.js';
import { HANDICAP_MS, type Priority, type Terms } from '../models/terms.js';
import { examples } from './schema.js';

const MAX_TIMEOUT_MS = 86_400_000;
const UNITS = new Map([
  ['', 1],
  ['ms', 1],
  ['s', 1000],
]);

const TIMEOUT_FAULT =
  'must be a time from 1 ms to a day: milliseconds (250), or with a unit ("250ms", "1.5s")';
const PRIORITY_FAULT = 'must be high, normal or low';

export const timeout = z
  .union([z.number(), z.string()], TIMEOUT_FAULT)
  .transform((given, context) => {
    const ms = typeof given === 'number' ? given : milliseconds(given);
    if (ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
    context.addIssue({ code: 'custom', message: TIMEOUT_FAULT });
    return z.NEVER;
  })
  .describe('Answered DEADLINE_EXCEEDED when it has not been answered by then: milliseconds, or with a unit.')
  .meta(examples(250, '1.5s'));

const PRIORITIES = Object.keys(HANDICAP_MS) as [Priority, ...Priority[]];

export const priority = z
  .enum(PRIORITIES, PRIORITY_FAULT)
  .describe('Who waits goes before those of lower priority that came less than a second earlier.');

/** As documented; `termsOf` reads them. */
export const termsHeaders = z.object({ timeout: timeout.optional(), priority: priority.optional() });

export interface GivenTerms {
  readonly timeout?: number | undefined;
  readonly priority?: Priority | undefined;
}

/** A field wins over the header of its name. Throws INVALID_REQUEST. */
export function termsOf(
  { headers, dryRun }: FastifyRequest,
  reply: FastifyReply,
  given: GivenTerms = {},
): Terms {
  const { raw } = reply;
  return {
    gone: () => raw.destroyed,
    // When the request came, not when its body had been read.
    arrivedAt: performance.now() - reply.elapsedTime,
    timeoutMs: given.timeout ?? read(headers, 'timeout', readTimeout),
    priority: given.priority ?? read(headers, 'priority', readPriority),
    ifMatch: headers['if-match'],
    dryRun,
  };
}

type Header = string | string[] | undefined;

function read<T>(
  headers: FastifyRequest['headers'],
  name: string,
  reader: (text: string) => T,
): T | undefined {
  const value: Header = headers[name];
  if (value === undefined) return undefined;
  return reader(String(value).trim());
}

function readTimeout(text: string): number {
  const ms = milliseconds(text);
  if (ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
  throw fault('timeout', TIMEOUT_FAULT);
}

/** Also RFC 9218, which browsers send: urgency 0 to 7, 3 where it does not say. */
function readPriority(text: string): Priority {
  const known = PRIORITIES.find((name) => name === text);
  if (known) return known;
  if (!/^[a-z*][\w.*-]*(=|,|;|$)/.test(text) || /^\w{2,}$/.test(text))
    throw fault('priority', PRIORITY_FAULT);
  const [, urgency = '3'] = /(?:^|,)\s*u=([0-7])\s*(?:,|;|$)/.exec(text) ?? [];
  return Number(urgency) < 3 ? 'high' : Number(urgency) > 4 ? 'low' : 'normal';
}

/** NaN where the text is no time. */
function milliseconds(text: string): number {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,9})?) *(\w*)$/.exec(text) ?? [];
  return Number(number) * (UNITS.get(unit ?? '?') ?? NaN);
}

function fault(header: string, message: string): ApiError {
  return new ApiError('INVALID_REQUEST', [], [{ path: `header.${header}`, message }]);
}
