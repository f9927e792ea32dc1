// One worker as the main thread sees it: what was sent to it, in the order in which it will be answered.

import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import { ValueError } from '../graph/op.js';
import type { Plan } from '../graph/plan.js';
import { kernelModule } from './kernel-module.js';
import type {
  CallName,
  Calls,
  FromWorker,
  Notice,
  PlanId,
  Request,
  ToWorker,
  WorkerData,
} from './protocol.js';
import { MAX_BINDINGS, type Ring, type RingForward } from './ring.js';

const WORKER = new URL('./worker.js', import.meta.url);

export interface Job {
  readonly request: Request;
  readonly definition: Plan | undefined;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export type MemberOptions = Omit<WorkerData, 'kernels' | 'port'> & {
  readonly ring: Ring;
  readonly onReady: () => void;
  readonly onExit: (reason: Error) => void;
};

export class Member {
  readonly index: number;
  readonly ring: Ring;
  /** Sent and not settled. */
  readonly sent: Job[] = [];
  ready = false;
  /** When the first of `sent` became the first, by performance.now(). */
  since = 0;
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly plans = new Set<PlanId>();
  /** Entries settled so far: never more than the ring has finished. */
  private settled: number;

  constructor({ ring, onReady, onExit, ...data }: MemberOptions) {
    this.index = data.index;
    this.ring = ring;
    ring.reset();
    this.settled = ring.finished;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const workerData: WorkerData = { ...data, kernels: kernelModule(), port: port2 };
    this.worker = new Worker(WORKER, { workerData, transferList: [port2], name: 'weightroom' });
    let reason = new Error('the worker stopped');
    this.worker.once('message', () => {
      this.ready = true;
      onReady();
    });
    this.worker.on('error', (error) => (reason = error));
    this.worker.on('exit', () => onExit(reason));
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  /** After the worker has ended and what it answered is settled. */
  close(): void {
    this.port.close();
  }

  /** A forward's plan is learnt first. */
  send(job: Job): void {
    const { request } = job;
    const runs = planCall(request);
    const plan = runs && runs.bindings.length <= MAX_BINDINGS ? runs : undefined;
    const kind = plan && request.call === 'forward' ? 'forward' : 'message';
    try {
      if (kind === 'message') this.post(request);
    } catch (error) {
      // It cannot be cloned: nothing was sent, and the order of the others stays.
      job.reject(error as Error);
      return;
    }
    if (this.sent.push(job) === 1) this.since = performance.now();
    this.ring.submit(kind, plan);
  }

  tell(notice: Notice): void {
    this.post(notice);
  }

  learn(plan: PlanId, definition: Plan): void {
    if (this.plans.has(plan)) return;
    this.plans.add(plan);
    this.tell({ notice: 'plan', plan, definition });
  }

  forget(plan: PlanId): void {
    if (this.plans.delete(plan)) this.tell({ notice: 'forget', plan });
  }

  /** Settles what the worker has answered. */
  settle(): void {
    const { finished } = this.ring;
    if (this.settled === finished) return;
    for (; this.settled !== finished; this.settled = (this.settled + 1) | 0) {
      const job = this.sent.shift()!;
      if (this.ring.endingOf(this.settled) === 'null') job.resolve(null as never);
      else settleBy(job, (receiveMessageOnPort(this.port) as { message: FromWorker }).message);
    }
    this.since = performance.now();
  }

  private post(message: ToWorker): void {
    this.port.postMessage(message);
    this.ring.posted();
  }
}

const RUN_PLANS: ReadonlySet<CallName> = new Set<PlanCall>(['forward', 'train', 'evaluate', 'differences']);
type PlanCall = { [C in CallName]: Calls[C]['args'] extends RingForward ? C : never }[CallName];

/** What the request runs, where that is a plan. */
export function planCall({ call, args }: Request): RingForward | undefined {
  return RUN_PLANS.has(call) ? (args as RingForward) : undefined;
}

function settleBy(job: Job, message: FromWorker): void {
  if ('result' in message) {
    job.resolve(message.result as never);
    return;
  }
  const { kind, message: text } = message.failure;
  job.reject(kind === 'value' ? new ValueError(text) : new Error(text));
}
