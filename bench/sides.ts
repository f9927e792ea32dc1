// The sides of a comparison: each a process of its own that is asked a job a line and answers a line (peers/clock.ts).
// Only one works at a time, and only while the machine is quiet, as far as that can be waited for.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Answer {
  /** Of one run; the best batch. */
  readonly seconds: number;
  /** Some of the result, to see that all sides compute the same. */
  readonly sample: readonly number[];
  readonly version: string;
}

/** Sums in another order differ by as much, in units of the largest of the sample. */
const TOLERANCE = 1e-3;

export class Side<Job, A extends Answer = Answer> {
  readonly name: string;
  version = '';
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async ask(job: Job): Promise<A> {
    this.child.stdin!.write(`${JSON.stringify(job)}\n`);
    const line = await this.lines.next();
    if (line.done) throw new Error(`${this.name} ended`);
    const answer = JSON.parse(line.value) as A;
    this.version = answer.version;
    return answer;
  }

  async end(): Promise<void> {
    console.log(`${this.name}: ${this.version}`);
    const ended = once(this.child, 'exit');
    this.child.stdin!.end();
    await ended;
  }
}

/** A side that is one of ours, or a peer in JavaScript. */
export function scriptSide<Job, A extends Answer = Answer>(name: string, file: string, ...args: string[]) {
  const script = fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
  return new Side<Job, A>(name, process.execPath, [script, ...args]);
}

/** onnxruntime and PyTorch, as far as they are here: `<work>-onnxruntime.js` and `<work>-torch.py`. */
export function peerSides<Job>(work: string): Side<Job>[] {
  const sides: Side<Job>[] = [];
  if (installOnnxruntime()) sides.push(scriptSide('onnxruntime', `${work}-onnxruntime.js`));
  const torch = pythonSide<Job>('PyTorch', `${work}-torch.py`);
  if (torch) sides.push(torch);
  return sides;
}

/** A peer in Python, where PyTorch is there. */
export function pythonSide<Job>(name: string, file: string): Side<Job> | undefined {
  const python = process.env.PYTHON ?? 'python3';
  if (spawnSync(python, ['-c', 'import torch, numpy']).status !== 0) return undefined;
  return new Side<Job>(name, python, [`bench/peers/${file}`]);
}

/** onnxruntime-node is the benchmarks' own: installed beside them, without the CUDA libraries. */
function installOnnxruntime(): boolean {
  if (existsSync('bench/node_modules/onnxruntime-node')) return true;
  const { status } = spawnSync('npm', ['ci', '--prefix', 'bench', '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip' },
  });
  return status === 0;
}

/** Throws where two sides did not compute the same. */
export function agree(first: Answer, second: Answer, what: string): void {
  const largest = Math.max(...first.sample.map(Math.abs));
  const wrong = first.sample.some(
    (value, i) => !(Math.abs(value - second.sample[i]!) <= TOLERANCE * largest),
  );
  if (wrong) throw new Error(`${what} computes ${String(second.sample)} instead of ${String(first.sample)}`);
}
