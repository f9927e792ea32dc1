// Builds the HTTP server from its parts, in the order in which a request meets them. Does not listen.

import compress from '@fastify/compress';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:zlib';
import { changeRoutes } from '../routes/changes.js';
import { optimizerRoutes } from '../routes/optimizer.js';
import { trainRoutes } from '../routes/train.js';
import { problems } from '../routes/answers.js';
import { backwardRoutes } from '../routes/backward.js';
import { datasetRoutes } from '../routes/datasets.js';
import { eventRoutes } from '../routes/events.js';
import { forwardRoutes } from '../routes/forward.js';
import { initRoutes } from '../routes/init.js';
import { modelRoutes } from '../routes/models.js';
import { moduleRoutes } from '../routes/modules.js';
import { parameterRoutes } from '../routes/parameters.js';
import { stateDictRoutes } from '../routes/state-dict.js';
import { streamRoutes } from '../routes/stream.js';
import { systemRoutes } from '../routes/system.js';
import { tieRoutes } from '../routes/ties.js';
import { watchpointRoutes } from '../routes/watchpoints.js';
import { materializeRoutes } from '../routes/materialize.js';
import type { Config } from './config.js';
import type { Datasets } from './datasets/datasets.js';
import type { Registry } from './models/registry.js';
import { closeAfterAnswers } from './plugins/closing.js';
import { readFiles } from './plugins/files.js';
import { setHeaders } from './plugins/headers.js';
import { boundIntake } from './plugins/intake.js';
import { Inbox, releaseHolds } from './plugins/inbox.js';
import { readJson } from './plugins/json.js';
import { LargeJson } from './plugins/large-json.js';
import { LANE_ROUTE, openLane } from './plugins/lane.js';
import { shedLoad } from './plugins/limits.js';
import { exposeMetrics } from './plugins/metrics.js';
import { declareConditions } from './plugins/conditions.js';
import { keepAnswers } from './plugins/idempotency.js';
import { serveAsyncapi } from './plugins/asyncapi.js';
import { describeApi, serveDescription } from './plugins/openapi.js';
import { servePages } from './plugins/pages.js';
import { answerBrokenHttp, answerProblems, methodsOf, sendProblem } from './plugins/problems.js';
import { readRaw } from './plugins/raw.js';
import { refusal } from './plugins/refusal.js';
import { typed, validatorCompiler } from './plugins/schema.js';
import { acceptWebSockets } from './plugins/websocket.js';
import { AnswerWriter } from './runtime/answer-writer.js';
import type { SharedMemory } from './runtime/memory.js';
import type { Pool } from './runtime/pool.js';

/** Longer than load balancers keep theirs (60 s is usual), so that they never send into a connection we are closing. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How often Node looks for requests that are late. */
const CHECK_INTERVAL_MS = 1000;
/** A path of this many bytes reaches any module; Node ends longer headers at 16 KiB anyway. */
const MAX_PARAM_LENGTH = 4096;
/** Below it, compressing costs more than the bytes it saves. */
const COMPRESS_THRESHOLD_BYTES = 4096;

export interface AppOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly datasets: Datasets;
  readonly pool: Pick<Pool, 'size' | 'load' | 'figure' | 'call'>;
  /** What multiplies matrices. */
  readonly engine: string;
  readonly memory: SharedMemory;
  readonly maddFused: boolean;
  readonly logger?: FastifyBaseLogger;
}

export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { config, registry, datasets, pool, memory, engine, maddFused } = options;
  const logsRequests = config.logLevel === 'debug' || config.logLevel === 'trace';
  const requestId = requestIds();
  const app: FastifyInstance = Fastify({
    ...(options.logger !== undefined && { loggerInstance: options.logger }),
    // A line for each request is the debug level's, and so is a logger for each: they cost more than a small request.
    logController: new LogController({ disableRequestLogging: !logsRequests }),
    childLoggerFactory: (logger, bindings, opts) => (logsRequests ? logger.child(bindings, opts) : logger),
    genReqId: requestId,
    trustProxy: false,
    bodyLimit: config.bodyLimitBytes,
    requestTimeout: config.requestTimeoutMs,
    // A socket on which nothing moves; an answer may be as long in coming as a worker may take.
    connectionTimeout: config.requestTimeoutMs + 2 * config.workerTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: config.requestTimeoutMs, connectionsCheckingInterval: CHECK_INTERVAL_MS },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: false, caseSensitive: true },
    // plugins/limits.ts answers in its place.
    return503OnClosing: false,
    frameworkErrors: sendProblem,
    clientErrorHandler: answerBrokenHttp,
  });
  app.setValidatorCompiler(validatorCompiler);
  answerProblems(app);
  releaseHolds(app);
  const inbox = new Inbox({ memory, limitBytes: config.bodiesLimitBytes });
  readJson(app, new LargeJson(inbox, pool));
  readRaw(app, inbox);
  readFiles(app, inbox);
  await setHeaders(app, config);
  await shedLoad(app, config);
  const admitsBody = boundIntake(app, registry);
  await app.register(compress, {
    threshold: COMPRESS_THRESHOLD_BYTES,
    encodings: ['gzip', 'deflate', 'identity'],
    zlibOptions: { level: constants.Z_BEST_SPEED },
  });
  await acceptWebSockets(app, config);
  const isClosing = closeAfterAnswers(app);
  await describeApi(app);

  declareConditions(app, problems);
  keepAnswers(app, config);
  const refuseOtherMethods = methodsOf(app);
  serveDescription(app);
  serveAsyncapi(app);
  await servePages(app);
  const durations = exposeMetrics(app, { models: registry, datasets, memory, pool });
  const routes = typed(app);
  const writer = new AnswerWriter({ memory, pool, limitBytes: config.answersLimitBytes });
  systemRoutes(routes, { config, workers: pool.size, engine, maddFused });
  modelRoutes(routes, registry);
  moduleRoutes(routes, registry);
  parameterRoutes(routes, registry, writer);
  initRoutes(routes, registry);
  materializeRoutes(routes, registry);
  tieRoutes(routes, registry);
  stateDictRoutes(routes, registry, writer);
  forwardRoutes(routes, registry, writer);
  backwardRoutes(routes, registry, writer);
  optimizerRoutes(routes, registry, writer);
  trainRoutes(routes, registry, datasets);
  changeRoutes(routes, registry);
  watchpointRoutes(routes, registry);
  datasetRoutes(routes, datasets, writer);
  eventRoutes(routes, { directory: registry });
  streamRoutes(routes, { directory: registry, models: registry, config });
  refuseOtherMethods();
  await app.ready();
  // Lines for requests are the framework's.
  if (!logsRequests) {
    const { queue } = registry.scheduler;
    const observed = (status: number) => durations.of({ method: 'POST', route: LANE_ROUTE, status });
    openLane(app, {
      models: registry,
      refuse: refusal({
        queue,
        defers: () => isClosing() || app.isUnderPressure() || config.corsOrigins.length > 0,
        requestId,
        durations: observed(503),
      }),
      admits: ({ line }, bodyBytes) =>
        !isClosing() && !app.isUnderPressure() && !queue.full(line) && admitsBody(bodyBytes),
      bodyLimitBytes: config.bodyLimitBytes,
      durations: observed(200),
    });
  }
  return app;
}

/** Ids that no other process gives: its own beginning and a count. A UUID for each costs as much as a small forward. */
function requestIds(): () => string {
  const beginning = randomUUID().slice(0, 8);
  let count = 0;
  return () => `${beginning}-${(++count).toString(36)}`;
}
