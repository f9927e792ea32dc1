// The server itself: what it is, what it allows, whether it is up, and its error codes.

import { z } from 'zod';
import type { Config } from '../src/config.js';
import { ApiError, ERRORS, titleOf, type ErrorCode } from '../src/errors.js';
import type { App } from '../src/plugins/schema.js';
import { VERSION } from '../src/version.js';
import { problems, success } from './answers.js';

const limits = z.object({
  memory_bytes: z.int(),
  body_bytes: z.int(),
  ws_message_bytes: z.int(),
  models: z.int(),
  modules: z.int().describe('In one model.'),
  datasets: z.int(),
  datasets_bytes: z.int().describe('Of all data sets, within `memory_bytes`.'),
  log_entries: z.int().describe("In a model's change log."),
  log_bytes: z.int(),
});

const serverAnswer = z.object({
  name: z.literal('weightroom'),
  version: z.string(),
  node: z.string(),
  workers: z.int(),
  engine: z
    .string()
    .describe(
      'What multiplies matrices: native avx512, native avx2, native neon or webassembly. The bits are the same.',
    ),
  madd_fused: z
    .boolean()
    .describe(
      'Whether WebAssembly rounds a[k] * b[k] + acc once here, as native engines always do: ' +
        'then outputs are the same bits as on other such machines.',
    ),
  limits,
});

const errorsAnswer = z.object({
  errors: z.array(z.object({ code: z.string(), status: z.int(), title: z.string(), detail: z.string() })),
});

const statusAnswer = z.object({ status: z.literal('ok') });

export interface SystemOptions {
  readonly config: Config;
  readonly workers: number;
  readonly engine: string;
  readonly maddFused: boolean;
}

export function systemRoutes(app: App, { config, workers, engine, maddFused }: SystemOptions): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });

  app.get(
    '/v1',
    {
      schema: {
        operationId: 'getServer',
        summary: 'Describe the server: version and limits',
        tags: ['server'],
        response: { 200: success('What it is.', serverAnswer), ...problems() },
      },
    },
    async () => ({
      name: 'weightroom',
      version: VERSION,
      node: process.version,
      workers,
      engine,
      madd_fused: maddFused,
      limits: {
        memory_bytes: config.memoryLimitBytes,
        body_bytes: config.bodyLimitBytes,
        ws_message_bytes: config.wsMessageLimitBytes,
        models: config.maxModels,
        modules: config.maxModules,
        datasets: config.maxDatasets,
        datasets_bytes: config.datasetsLimitBytes,
        log_entries: config.logEntries,
        log_bytes: config.logBytes,
      },
    }),
  );

  app.get(
    '/v1/errors',
    {
      schema: {
        operationId: 'listErrors',
        summary: 'List the error codes: what the type of a problem refers to',
        tags: ['server'],
        response: { 200: success('All codes.', errorsAnswer), ...problems() },
      },
    },
    async () => ({
      errors: Object.entries(ERRORS).map(([code, [status, detail]]) => ({
        code,
        status,
        title: titleOf(code as ErrorCode),
        detail,
      })),
    }),
  );

  app.get(
    '/healthz',
    {
      config: { always: true },
      schema: {
        operationId: 'getHealth',
        summary: 'Whether the process is alive',
        tags: ['server'],
        response: { 200: success('Yes.', statusAnswer), ...problems() },
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { always: true },
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether requests are taken',
        tags: ['server'],
        response: { 200: success('Yes.', statusAnswer), ...problems('SHUTTING_DOWN', 'OVERLOADED') },
      },
    },
    async () => {
      if (closing) throw new ApiError('SHUTTING_DOWN');
      if (app.isUnderPressure()) throw new ApiError('OVERLOADED');
      return { status: 'ok' };
    },
  );
}
