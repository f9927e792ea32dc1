// A worker thread: runs plans and edits on shared memory, one after another, and parts of other workers' plans between.
// It knows addresses, shapes and ops; models, names and revisions are the main thread's business.
// Its loop never returns to Node's: it sleeps on its bell, and reads messages itself.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ValueError } from '../graph/op.js';
import type { Plan } from '../graph/plan.js';
import { runPart, runPlan } from '../graph/run.js';
import { COLUMN_FILES, orFaults, writeFilePart } from '../tensor/column-file.js';
import { numel } from '../tensor/shape.js';
import { Bell } from './bell.js';
import { Board } from './board.js';
import { Helper, Leader } from './crew.js';
import { edit } from './edit.js';
import { differences } from './gradient-check.js';
import { gatherRows } from './gather.js';
import { bindKernels } from './kernel-module.js';
import { viewAt } from './memory-view.js';
import { beNice } from './niceness.js';
import type { Calls, CallName, FromWorker, Handlers, Notice, PlanId } from './protocol.js';
import type { ByteRange, Request, ToWorker, WorkerData } from './protocol.js';
import { Rest } from './rest.js';
import { Ring, type Ending } from './ring.js';
import { Surveyor } from './surveyor.js';
import { readBody, writeText } from './text.js';
import { evaluate, train } from './training.js';

beNice();
const { kernels: kernelModule, memories, index, port, awake, ...shared } = workerData as WorkerData;
const bell = new Bell(shared.bell);
const stations = shared.stations.map(({ ring, board }) => ({
  ring: new Ring(ring),
  board: new Board(board),
}));
const rings = stations.map((station) => station.ring);
const ring = rings[index]!;
function addSegment(memory: WebAssembly.Memory) {
  // It may have grown on its way here, of which this thread is not told: growing by nothing fetches it.
  memory.grow(0);
  return { memory, kernels: bindKernels(kernelModule, memory) };
}
const segments = memories.map(addSegment);
const plans = new Map<PlanId, Plan>();
const surveyor = new Surveyor(kernelModule.code);

const bytesOf = (segment: number, { address, bytes }: ByteRange): Uint8Array =>
  viewAt(segments[segment]!.memory, address, bytes, 'bool');

const handlers: Handlers = {
  forward({ plan, segment, arena, bindings }) {
    const start = performance.now();
    runPlan(plans.get(plan)!, segments[segment]!.kernels, { arena, bindings }, leader);
    ring.count('plans');
    ring.count('planSeconds', (performance.now() - start) / 1000);
    return null;
  },
  train(order) {
    const { memory, kernels } = segments[order.segment]!;
    const wanted = (): boolean => ring.submittedMore;
    return train(order, { memory, kernels, plan: plans.get(order.plan)!, crew: leader, wanted });
  },
  evaluate(order) {
    const { memory, kernels } = segments[order.segment]!;
    return evaluate(order, { memory, kernels, plan: plans.get(order.plan)!, crew: leader });
  },
  differences(order) {
    const { memory, kernels } = segments[order.segment]!;
    return differences(order, { memory, kernels, plan: plans.get(order.plan)!, crew: leader });
  },
  edit({ segment, steps }) {
    edit(steps, segments[segment]!);
    return null;
  },
  moments({ segment, tensor: { address, shape, dtype }, stretch }) {
    return surveyor.moments(viewAt(segments[segment]!.memory, address, numel(shape), dtype), stretch);
  },
  histogram({ segment, tensor: { address, shape, dtype }, stretch, bins }) {
    const data = viewAt(segments[segment]!.memory, address, numel(shape), dtype);
    return surveyor.histogram(data, stretch, bins);
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
  outlineFile({ segment, file, format }) {
    return orFaults(() => COLUMN_FILES[format].outline(bytesOf(segment, file)));
  },
  readFilePart({ segment, file, part, target }) {
    const { memory } = segments[target.segment]!;
    const targets = target.columns.map(({ name, address, shape, dtype }) => ({
      name,
      data: viewAt(memory, address, numel(shape), dtype),
    }));
    return orFaults(() => {
      writeFilePart(bytesOf(segment, file), part, targets);
      return null;
    });
  },
  gatherRows(order) {
    gatherRows((segment) => segments[segment]!.memory, order);
    return null;
  },
  writeText({ segment, ...order }) {
    const { memory, kernels } = segments[segment]!;
    return writeText(memory, kernels, order);
  },
};

const notices: { readonly [N in Notice['notice']]: (notice: Extract<Notice, { notice: N }>) => void } = {
  segment: ({ memory }) => void segments.push(addSegment(memory)),
  plan: ({ plan, definition }) => void plans.set(plan, definition),
  forget: ({ plan }) => void plans.delete(plan),
};

const leader = new Leader(stations, index);
const helper = new Helper({
  stations,
  index,
  knows: (plan) => plans.has(plan),
  prepare: ({ plan, segment, arena, bindings }) => {
    const definition = plans.get(plan)!;
    const { kernels } = segments[segment]!;
    return (step, part) => runPart(definition, kernels, { arena, bindings }, { step, part });
  },
});

const rest = new Rest({ rings, index, awake });
let received = 0;
let request: Request | undefined;

/** Reads the port up to a message, that one included. */
function receive(until: number): void {
  for (; received !== until; received = (received + 1) | 0) {
    const { message } = receiveMessageOnPort(port) as { message: ToWorker };
    if ('notice' in message) (notices[message.notice] as (notice: Notice) => void)(message);
    else request = message;
  }
}

function answer({ call, args }: Request): Ending {
  try {
    const handle = handlers[call] as (args: Calls[CallName]['args']) => Calls[CallName]['result'];
    const result = handle(args);
    if (result === null) return 'null';
    port.postMessage({ result } satisfies FromWorker);
  } catch (error) {
    const kind = error instanceof ValueError ? 'value' : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ failure: { kind, message } } satisfies FromWorker);
  }
  return 'message';
}

function runEntry(): void {
  ring.state = 'working';
  const start = performance.now();
  const entry = ring.begin();
  receive(ring.messagesBefore(entry));
  const inRing = ring.kindOf(entry) === 'forward';
  leader.entry = ring.planOf(entry) === 0 ? undefined : entry;
  const ending = answer(inRing ? { call: 'forward', args: ring.forwardAt(entry) } : request!);
  ring.count('calls');
  ring.count('busySeconds', (performance.now() - start) / 1000);
  ring.finish(entry, ending);
  bell.ring();
}

parentPort!.postMessage('ready');
for (;;) {
  const { rung, postedCount } = ring;
  if (ring.submittedAny) {
    runEntry();
    continue;
  }
  // Read before the ring was found empty: what was posted up to then comes before any entry.
  receive(postedCount);
  if (!helper.help()) rest.until(rung);
}
