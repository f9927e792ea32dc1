// Bodies that are one tensor's bytes (application/octet-stream, X-Tensor-Shape, X-Tensor-Dtype): they arrive in shared
// memory, whose size is known and checked before it is taken.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { ApiError, type Fault } from '../errors.js';
import { explain } from '../models/failures.js';
import { RawTensor } from '../tensor/raw-tensor.js';
import { listed } from '../tensor/shape.js';
import {
  DTYPE_HEADER,
  RAW_MEDIA_TYPE,
  readRawHeaders,
  SHAPE_HEADER,
  type RawOutline,
} from '../tensor/raw.js';
import { receiveInto, tooLarge } from './body.js';
import type { Inbox } from './inbox.js';
import { unsupportedMediaType } from './problems.js';

/** For the document alone: they are read where the bytes are. */
export const rawHeaderFields = {
  [SHAPE_HEADER]: z
    .string()
    .optional()
    .describe('Of a raw body, row-major: extents with commas between, e.g. 2,4; empty for a scalar.'),
  [DTYPE_HEADER]: z
    .enum(['float32', 'int64', 'int32', 'bool'])
    .optional()
    .describe('Of a raw body, little-endian; float32 where it is not said.'),
};

export function readRaw(app: FastifyInstance, inbox: Inbox): void {
  app.addContentTypeParser(RAW_MEDIA_TYPE, (request: FastifyRequest, payload: Readable) => {
    if (!request.routeOptions.config.raw) return Promise.reject(unsupportedMediaType(request));
    return receiveTensor(request, payload, inbox);
  });
}

async function receiveTensor(request: FastifyRequest, payload: Readable, inbox: Inbox): Promise<RawTensor> {
  const outline = outlineOf(request);
  const { shape, dtype, bytes } = outline;
  const limit = request.server.initialConfig.bodyLimit!;
  if (bytes > limit) throw tooLarge(limit);
  const encoded = payload !== request.raw;
  const announced = Number(request.headers['content-length']);
  if (!encoded && announced !== bytes && !Number.isNaN(announced)) throw wrongLength(announced, outline);
  const region = inbox.take(request, bytes);
  const received = await receiveInto(inbox.bytes(region), payload);
  if (!received.complete) throw wrongLength(received.bytes, outline);
  const { data } = inbox.memory.tensor(region, shape, dtype);
  return new RawTensor(dtype, shape, data);
}

function outlineOf({ headers }: FastifyRequest): RawOutline {
  try {
    const [shape, dtype] = [SHAPE_HEADER, DTYPE_HEADER].map((name) => headers[name.toLowerCase()]);
    return readRawHeaders(shape as string | undefined, dtype as string | undefined);
  } catch (error) {
    throw explain(error);
  }
}

function wrongLength(got: number, { shape, dtype, bytes }: RawOutline): ApiError {
  const fault: Fault = {
    path: 'body',
    message: `has ${got} bytes where ${dtype} ${listed(shape)} has ${bytes}`,
  };
  return new ApiError('TENSOR_INVALID', [], [fault]);
}
