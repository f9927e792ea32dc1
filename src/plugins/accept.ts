// Which of the media types that a route can answer with its client wants (RFC 9110, 12.5.1).

import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.js';

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}

/** The type that the Accept header rates highest, of two alike the first. Throws NOT_ACCEPTABLE; the answer says Vary. */
export function negotiate<T extends string>(
  request: FastifyRequest,
  reply: FastifyReply,
  offered: readonly [T, ...T[]],
): T {
  const vary = reply.getHeader('vary');
  reply.header('vary', vary === undefined ? 'accept' : `${String(vary)}, accept`);
  const { accept } = request.headers;
  if (accept === undefined || accept === '*/*') return offered[0];
  const best = preferred(accept, offered);
  if (best === undefined) throw new ApiError('NOT_ACCEPTABLE', [offered.join(' or ')]);
  return best;
}

/** undefined where the client wants none of them. */
export function preferred<T extends string>(accept: string, offered: readonly T[]): T | undefined {
  const ranges = accept.split(',').flatMap(readRange);
  let best: T | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const quality = ranges.length === 0 ? 1 : qualityOf(type, ranges);
    if (quality > bestQuality) [best, bestQuality] = [type, quality];
  }
  return best;
}

/** Of the ranges that cover a type, the most specific one says its quality. */
function qualityOf(offered: string, ranges: readonly Range[]): number {
  const [type, subtype] = offered.split('/');
  let [quality, specificity] = [0, -1];
  for (const range of ranges) {
    if (range.type !== '*' && range.type !== type) continue;
    if (range.subtype !== '*' && range.subtype !== subtype) continue;
    const specific = Number(range.type !== '*') + Number(range.subtype !== '*');
    if (specific > specificity) [quality, specificity] = [range.quality, specific];
  }
  return quality;
}

/** `text/*;q=0.5`. Other parameters narrow a type in ways that ours do not differ in. */
function readRange(text: string): Range[] {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const parts = /^([^/\s]+)\/([^/\s]+)$/.exec(name);
  if (!parts) return [];
  const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
  const quality = given === undefined ? 1 : Number(given.slice(given.indexOf('=') + 1));
  return [{ type: parts[1]!, subtype: parts[2]!, quality: quality >= 0 && quality <= 1 ? quality : 0 }];
}
