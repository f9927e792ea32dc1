// The settings: one table of WEIGHTROOM_* variables, from which the schema, --help and --print-config are derived.
// Reads an environment it is given; never process.env.

import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { z } from 'zod';
import { didYouMean } from './nearest.js';
import { NATIVE_CHOICES } from './runtime/kernel-module.js';

const PREFIX = 'WEIGHTROOM_';
const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const UNITS = new Map<string, number>([
  ['', 1],
  ['b', 1],
  ['kib', KiB],
  ['mib', MiB],
  ['gib', GiB],
  ['tib', 1024 * GiB],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
]);

function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .pipe(z.number().int(message).min(min, message).max(max, message));
}

function bytes(min: number, max: number) {
  const message = `must be a size from ${min} to ${max} bytes, e.g. 1048576 or 1MiB`;
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?) *([a-z]*)$/.exec(text.toLowerCase());
    const unit = match && UNITS.get(match[2]!);
    const value = unit ? Math.round(Number(match[1]) * unit) : NaN;
    if (value >= min && value <= max) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

const milliseconds = (min: number) => integer(min, 86_400_000);

const words = z.string().transform((text) => text.split(/[\s,]+/).filter((word) => word !== ''));

const origins = words.pipe(
  z.array(
    z.string().refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
      message: 'must be origins with commas between, e.g. https://example.org,http://localhost:3000',
    }),
  ),
);

/** name: schema of the text, default as text, meaning. The variable of `maxModels` is WEIGHTROOM_MAX_MODELS. */
const SETTINGS = {
  port: [integer(0, 65535), '8080', 'TCP port; 0 takes a free one'],
  host: [z.string().regex(/^\S+$/, 'must be a host name or an address'), '127.0.0.1', 'address to listen on'],
  workers: [integer(1, 256), String(Math.min(4, availableParallelism())), 'threads that compute'],
  logLevel: [
    z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    'info',
    `least severe log line written: ${LOG_LEVELS.join(', ')}`,
  ],
  native: [
    z.enum(NATIVE_CHOICES, `must be one of ${NATIVE_CHOICES.join(', ')}`),
    'auto',
    `engine of matrix products: ${NATIVE_CHOICES.join(', ')}; auto: the fastest here, off: WebAssembly`,
  ],
  memoryLimitBytes: [bytes(MiB, 1024 * GiB), '2GiB', 'parameters, buffers and activations of all models'],
  bodyLimitBytes: [bytes(KiB, 512 * MiB), '32MiB', 'one request body'],
  bodiesLimitBytes: [
    bytes(KiB, 1024 * GiB),
    '256MiB',
    'request bodies with tensors, those of all requests in progress',
  ],
  answersLimitBytes: [
    bytes(KiB, 1024 * GiB),
    '256MiB',
    'memory of large answers that are not read yet; beyond it they are copied',
  ],
  wsMessageLimitBytes: [bytes(KiB, 512 * MiB), '1MiB', 'one WebSocket message from a client'],
  maxDatasets: [integer(1, 1_000_000), '1000', 'data sets at a time'],
  datasetsLimitBytes: [bytes(0, 1024 * GiB), '1GiB', 'columns of all data sets, within the memory limit'],
  maxModels: [integer(1, 10_000_000), '20000', 'models at a time'],
  maxModules: [integer(1, 10_000_000), '10000', 'modules in one model'],
  logEntries: [integer(1, 1_000_000), '1024', "entries a model's change log keeps"],
  logBytes: [bytes(0, 64 * GiB), '64MiB', "tensors a model's change log keeps"],
  maxWatchpoints: [integer(0, 10_000), '64', 'watchpoints of one model'],
  maxQueue: [integer(1, 1_000_000), '1024', 'requests that wait for one model; more are answered 503'],
  maxQueueTotal: [integer(1, 1_000_000), '8192', 'requests that wait for all models; more are answered 503'],
  maxBatchRows: [integer(1, 1_000_000), '256', 'rows of the batch that waiting forwards make together'],
  maxDelayUs: [
    integer(0, 1_000_000),
    '0',
    'microseconds that a forward waits for others to make a batch with',
  ],
  idempotencyKeys: [
    integer(1, 10_000_000),
    '10000',
    'answers that are kept for retries with an Idempotency-Key',
  ],
  idempotencySeconds: [integer(1, 31_536_000), '3600', 'time for which they are kept'],
  requestTimeoutMs: [milliseconds(1), '30000', 'time for a request to arrive whole'],
  workerTimeoutMs: [milliseconds(1), '30000', 'time after which a silent worker is replaced'],
  closeTimeoutMs: [milliseconds(1), '10000', 'time to finish after SIGTERM'],
  corsOrigins: [origins, '', 'origins whose pages may read answers, with commas between; * for all'],
  allowedOrigins: [
    origins,
    '',
    "origins whose pages may open a WebSocket besides the server's own; * for all",
  ],
  pressureEventLoopDelayMs: [milliseconds(0), '1000', 'mean event loop delay that answers 503; 0 for never'],
  pressureHeapBytes: [
    bytes(0, 1024 * GiB),
    String(Math.floor(0.9 * getHeapStatistics().heap_size_limit)),
    'heap in use that answers 503; 0 for never',
  ],
  pressureRssBytes: [bytes(0, 1024 * GiB), '0', 'resident memory that answers 503; 0 for never'],
} as const satisfies Record<string, readonly [schema: z.ZodType, fallback: string, meaning: string]>;

type Name = keyof typeof SETTINGS;

export type Config = { readonly [K in Name]: z.output<(typeof SETTINGS)[K][0]> };

const NAMES = Object.keys(SETTINGS) as Name[];
const VARIABLES = new Map(NAMES.map((name) => [variableOf(name), name]));

const configSchema = z.object(Object.fromEntries(NAMES.map((name) => [name, schemaOf(name)])));

/** Everything wrong with the environment, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Reads the WEIGHTROOM_* variables of `env`; an empty one counts as absent. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const given: Record<string, string> = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX)) continue;
    const name = VARIABLES.get(variable);
    if (name === undefined) {
      faults.push(`${variable} is not a setting${didYouMean(variable, VARIABLES.keys())}`);
    } else if (text !== undefined && text.trim() !== '') {
      given[name] = text.trim();
    }
  }
  const parsed = configSchema.safeParse(given);
  for (const { path, message } of parsed.error?.issues ?? []) {
    const name = path[0] as Name;
    faults.push(`${variableOf(name)} ${message}; it is ${JSON.stringify(given[name])}`);
  }
  if (faults.length > 0) throw new ConfigError([...new Set(faults)]);
  return Object.freeze(parsed.data) as Config;
}

/** The lines of --help. */
export function describeSettings(): string {
  return NAMES.map((name) => {
    const [, fallback, meaning] = SETTINGS[name];
    return `  ${variableOf(name).padEnd(40)} ${meaning}${fallback === '' ? '' : ` (default: ${fallback})`}`;
  }).join('\n');
}

/** The lines of --print-config: what may be put into a file of variables, each with its meaning and default. */
export function printConfig(config: Config): string {
  return NAMES.map((name) => {
    const [, fallback, meaning] = SETTINGS[name];
    return `# ${meaning}; default: ${fallback || 'none'}\n${variableOf(name)}=${String(config[name])}`;
  }).join('\n');
}

function schemaOf(name: Name) {
  const [schema, fallback] = SETTINGS[name] as readonly [z.ZodType<unknown, string>, string, string];
  return schema.prefault(fallback);
}

/** `maxModels` → `WEIGHTROOM_MAX_MODELS`. */
function variableOf(name: string): string {
  return PREFIX + name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
