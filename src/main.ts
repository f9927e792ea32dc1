#!/usr/bin/env node
// The process: reads the environment, starts the workers and the server, and ends both on a signal.
// The only file that reads process.env, listens, or exits.

import closeWithGrace from 'close-with-grace';
import { pino, type Logger } from 'pino';
import { buildApp } from './app.js';
import { ConfigError, describeSettings, printConfig, readConfig, type Config } from './config.js';
import { Datasets } from './datasets/datasets.js';
import { Registry } from './models/registry.js';
import { didYouMean } from './nearest.js';
import { chooseKernels, engineName, kernelModule, unplacedKernels } from './runtime/kernel-module.js';
import { SharedMemory } from './runtime/memory.js';
import { Pool } from './runtime/pool.js';
import { measureThreshold } from './runtime/threshold.js';
import { VERSION } from './version.js';

/** What the user asked for cannot be done; nothing was started. */
const EXIT_USAGE = 2;

const HELP = `weightroom ${VERSION}: a server for live neural networks

Usage: weightroom [--help | --version | --print-config]

Settings are environment variables:
${describeSettings()}

Sizes may have a unit: 512MiB, 2GiB.`;

/** Each writes something and ends. */
const FLAGS = new Map<string, (config: () => Config) => string>([
  ['--help', () => HELP],
  ['-h', () => HELP],
  ['--version', () => VERSION],
  ['--print-config', (config) => printConfig(config())],
]);

async function main(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const unknown = args.filter((arg) => !FLAGS.has(arg));
  if (unknown.length > 0) {
    refuse(unknown.map((arg) => `${arg} is not an option${didYouMean(arg, FLAGS.keys())}`));
  } else if (args[0] !== undefined) {
    process.stdout.write(`${FLAGS.get(args[0])!(() => readConfig(env))}\n`);
  } else {
    await serve(readConfig(env));
  }
}

async function serve(config: Config): Promise<void> {
  const logger = pino({ level: config.logLevel });
  const fault = chooseKernels(config.native);
  if (fault) logger.warn(`${fault}: WebAssembly serves`);
  const memory = new SharedMemory({ limitBytes: config.memoryLimitBytes });
  const pool = new Pool({
    workers: config.workers,
    memory,
    timeoutMs: config.workerTimeoutMs,
    onLost: (err) => logger.error({ err }, 'a worker was lost and is replaced'),
  });
  const registry = new Registry({ pool, memory, limits: config });
  const datasets = new Datasets({ pool, memory, limits: config });
  const maddFused = unplacedKernels().madd_is_fused() === 1;
  const engine = engineName(kernelModule());
  const app = await buildApp({ config, registry, datasets, pool, memory, engine, maddFused, logger });
  endOnSignal(logger, config, async () => {
    // Whoever waits for a job is answered when it is over.
    await Promise.all([app.close(), registry.jobs.end()]);
    await pool.close(config.closeTimeoutMs);
  });
  await pool.ready();
  const threshold = await measureThreshold(pool, memory);
  registry.dispatcher.adopt(threshold);
  logger.debug(threshold, 'plans cheaper than the way to a worker run on the main thread');
  const summary = [
    `${pool.size} workers`,
    `${memory.limitBytes} bytes of memory`,
    `products by ${engine}`,
    maddFused
      ? 'fused madd'
      : 'madd rounds twice: outputs differ in their last bits from those of other machines',
  ].join(', ');
  await app.listen({
    port: config.port,
    host: config.host,
    listenTextResolver: (address) => `weightroom ${VERSION} serves at ${address} (${summary})`,
  });
}

/** The first signal lets requests end, the second does not. */
function endOnSignal(logger: Logger, config: Config, close: () => Promise<void>): void {
  closeWithGrace(
    {
      delay: config.closeTimeoutMs,
      logger: false,
      onSecondSignal: (signal) => logger.warn({ signal }, 'ends at once'),
      onTimeout: () => logger.warn('requests did not end in time'),
    },
    async ({ signal, err }) => {
      if (err) logger.fatal({ err }, 'ends because of an error');
      else logger.info({ signal }, 'ends once the requests in progress have');
      await close();
      // A defect is not a success, however cleanly it ended.
      if (err) throw err;
    },
  );
}

/** One sentence for each thing wrong, no stack trace. */
function refuse(sentences: readonly string[]): void {
  process.stderr.write(`${sentences.join('\n')}\nSee weightroom --help.\n`);
  process.exitCode = EXIT_USAGE;
}

try {
  await main(process.argv.slice(2), process.env);
} catch (error) {
  if (error instanceof ConfigError) {
    refuse(error.faults);
  } else {
    process.stderr.write(
      `weightroom could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(1);
  }
}
