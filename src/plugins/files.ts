// Bodies that are files of columns: CSV, .npy, .npz. They arrive in shared memory, where workers read them; the main
// thread never looks inside.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { ReceivedFile } from '../datasets/source.js';
import { ApiError } from '../errors.js';
import type { FileFormat } from '../tensor/column-file.js';
import { collected, receiveInto, tooLarge, wrongLength } from './body.js';
import type { Inbox } from './inbox.js';
import { unsupportedMediaType } from './problems.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body may be a file of columns. */
    files?: boolean;
  }
}

interface FileType {
  readonly format: FileFormat;
  readonly description: string;
}

const NPZ = { format: 'npz', description: "numpy's .npz: arrays by name, stored or deflated." } as const;

export const FILE_TYPES: Readonly<Record<string, FileType>> = {
  'text/csv': {
    format: 'csv',
    description: 'Numbers with commas between, below a header line: each column is float32.',
  },
  'application/x-npy': { format: 'npy', description: "numpy's .npy: one array, the column `data`." },
  'application/x-npz': NPZ,
  'application/zip': NPZ,
};

/** What a text is decoded as; others' letters would come out wrong. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii']);

export function readFiles(app: FastifyInstance, inbox: Inbox): void {
  for (const [type, { format }] of Object.entries(FILE_TYPES)) {
    app.addContentTypeParser(type, (request: FastifyRequest, payload: Readable) => {
      if (!request.routeOptions.config.files) return Promise.reject(unsupportedMediaType(request));
      return receiveFile(request, payload, { inbox, format });
    });
  }
}

async function receiveFile(
  request: FastifyRequest,
  payload: Readable,
  { inbox, format }: { inbox: Inbox; format: FileFormat },
): Promise<ReceivedFile> {
  const type = request.headers['content-type']!;
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1]?.toLowerCase() ?? 'utf-8';
  if (!CHARSETS.has(charset)) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', [JSON.stringify(type), 'send it as utf-8']);
  }
  const announced = Number(request.headers['content-length']);
  const isPlain = payload === request.raw && !Number.isNaN(announced);
  if (!isPlain) {
    const { chunks, bytes } = await collected(request, payload);
    const { segment, address } = await inbox.place(request, chunks, bytes);
    return new ReceivedFile(format, segment, { address, bytes });
  }
  const limit = request.server.initialConfig.bodyLimit!;
  if (announced > limit) throw tooLarge(limit);
  const region = inbox.take(request, announced);
  const received = await receiveInto(inbox.bytes(region), payload);
  if (!received.complete) throw wrongLength();
  const { segment, address } = region;
  return new ReceivedFile(format, segment, { address, bytes: announced });
}
