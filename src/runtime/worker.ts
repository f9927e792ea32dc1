// A worker thread: runs plans and edits on shared memory, one call after another.
// It knows addresses, shapes and ops; models, names and revisions are the main thread's business.

import { parentPort, workerData } from 'node:worker_threads';
import { ValueError } from '../graph/op.js';
import type { Plan } from '../graph/plan.js';
import { runPlan } from '../graph/run.js';
import { numel } from '../tensor/shape.js';
import { statistics } from '../tensor/statistics.js';
import { edit } from './edit.js';
import { bindKernels } from './kernel-module.js';
import { viewAt } from './memory-view.js';
import type {
  Calls,
  CallName,
  FromWorker,
  Handlers,
  Notice,
  PlanId,
  Request,
  ToWorker,
  WorkerData,
} from './protocol.js';
import { readBody, writeText } from './text.js';

const port = parentPort!;
const { kernels: kernelModule, memories } = workerData as WorkerData;
const addSegment = (memory: WebAssembly.Memory) => ({ memory, kernels: bindKernels(kernelModule, memory) });
const segments = memories.map(addSegment);
const plans = new Map<PlanId, Plan>();

const handlers: Handlers = {
  forward({ plan, definition, segment, arena, bindings }) {
    if (definition) plans.set(plan, definition);
    runPlan(plans.get(plan)!, segments[segment]!.kernels, { arena, bindings });
    return null;
  },
  edit({ segment, steps }) {
    edit(steps, segments[segment]!);
    return null;
  },
  statistics({ segment, tensor: { address, shape, dtype } }) {
    return statistics(viewAt(segments[segment]!.memory, address, numel(shape), dtype));
  },
  same({ segment, pairs }) {
    const { memory } = segments[segment]!;
    return pairs.map(
      ({ a, b, bytes }) =>
        Buffer.compare(viewAt(memory, a, bytes, 'bool'), viewAt(memory, b, bytes, 'bool')) === 0,
    );
  },
  readBody({ segment, ...body }) {
    const { memory, kernels } = segments[segment]!;
    return readBody(memory, kernels, body);
  },
  writeText({ segment, ...order }) {
    const { memory, kernels } = segments[segment]!;
    return writeText(memory, kernels, order);
  },
};

const notices: { readonly [N in Notice['notice']]: (notice: Extract<Notice, { notice: N }>) => void } = {
  segment: ({ memory }) => void segments.push(addSegment(memory)),
  forget: ({ plan }) => void plans.delete(plan),
};

function answer({ id, call, args }: Request): FromWorker {
  try {
    const handle = handlers[call] as (args: Calls[CallName]['args']) => Calls[CallName]['result'];
    return { id, result: handle(args) };
  } catch (error) {
    const kind = error instanceof ValueError ? 'value' : 'internal';
    return { id, failure: { kind, message: error instanceof Error ? error.message : String(error) } };
  }
}

port.on('message', (message: ToWorker) => {
  if ('notice' in message) (notices[message.notice] as (notice: Notice) => void)(message);
  else port.postMessage(answer(message));
});
port.postMessage({ ready: true } satisfies FromWorker);
