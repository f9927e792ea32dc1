// What requests cost, counted: regions taken and their bytes, calls of workers, kernels run. Times are for bench/.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Kernels } from '#src/graph/kernels.js';
import { makePlan, type Plan } from '#src/graph/plan.js';
import { runPlan } from '#src/graph/run.js';
import { Tracer, type Stored } from '#src/graph/tracer.js';
import { readTree } from '#src/models/edit-structure.js';
import { traceModule } from '#src/nn/trace.js';
import { packedBytes } from '#src/graph/panels.js';
import { startServer, type TestServer } from '../server.js';
import { Arena } from '../kernels/instance.js';

let server: TestServer;
/** Since the last reset. */
const counted = { regions: 0, bytes: 0, calls: [] as string[] };

beforeAll(async () => {
  server = await startServer({ workers: 2 });
  const { memory, pool } = server.engine;
  const allocate = memory.allocate.bind(memory);
  memory.allocate = (bytes, segment) => {
    counted.regions++;
    counted.bytes += bytes;
    return allocate(bytes, segment);
  };
  const call = pool.call.bind(pool);
  pool.call = (...args) => {
    counted.calls.push(args[0]);
    return call(...args);
  };
});
afterAll(() => server.stop());
beforeEach(reset);

function reset(): void {
  Object.assign(counted, { regions: 0, bytes: 0, calls: [] });
}

async function build(name: string, architecture: unknown): Promise<void> {
  expect((await server.request('POST', '/v1/models', { name, seed: 0, architecture })).status).toBe(201);
}

function rows(count: number, features: number): number[][] {
  return Array.from({ length: count }, (_, i) => Array.from({ length: features }, (_, j) => (i + j) % 7));
}

const forward = (name: string, inputs: unknown) =>
  server.request('POST', `/v1/models/${name}/forward`, { inputs });

describe('a forward', () => {
  it('of a small network asks no worker and takes one region, of a few hundred bytes', async () => {
    await build('small', 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))');
    await forward('small', rows(2, 4));
    const before = server.engine.memory.bytesInUse;
    reset();
    for (let i = 0; i < 10; i++) expect((await forward('small', rows(2, 4))).status).toBe(200);
    expect(counted.calls).toEqual([]);
    expect(counted.regions).toBe(10);
    expect(counted.bytes).toBeLessThanOrEqual(10 * 1024);
    expect(server.engine.memory.bytesInUse).toBe(before);
  });

  it('of a large one is one call, and its weights are packed once, not each time', async () => {
    await build('large', 'nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512))');
    const inputs = rows(16, 512);
    await forward('large', inputs);
    const panels = 2 * packedBytes(512, 512);
    expect(server.engine.registry.get('large').panels.bytes).toBe(panels);
    expect(counted.calls.filter((name) => name === 'edit')).toHaveLength(2); // its build, its panels
    reset();
    for (let i = 0; i < 5; i++) expect((await forward('large', inputs)).status).toBe(200);
    expect(counted.calls.filter((name) => name === 'forward')).toHaveLength(5);
    expect(counted.calls.filter((name) => name === 'edit')).toEqual([]);
  });
});

describe('a change', () => {
  it('of one element of a large weight takes its bytes once, and reads no other parameter', async () => {
    await build('weight', 'nn.Sequential(nn.Linear(1000, 1000), nn.Linear(1000, 1000))');
    reset();
    const patch = { ops: [{ op: 'add', index: '0,0', value: 1 }] };
    expect((await server.request('PATCH', '/v1/models/weight/parameters/0.weight', patch)).status).toBe(200);
    expect(counted.regions).toBe(1);
    expect(counted.bytes).toBe(4_000_000);
    expect(counted.calls).toEqual(['edit']);
  });
});

describe('a plan', () => {
  const { kernels, memory } = new Arena();

  /** The kernels that a plan runs, in order. */
  function kernelsOf(plan: Plan, stored: readonly Stored[], withPanels: boolean): string[] {
    const names: string[] = [];
    const counting = Object.fromEntries(
      Object.entries(kernels as unknown as Record<string, (...args: number[]) => number>).map(
        ([name, kernel]) => [
          name,
          (...args: number[]) => {
            names.push(name);
            return kernel(...args);
          },
        ],
      ),
    ) as unknown as Kernels;
    let next = 65_536 + plan.arenaBytes;
    const take = (bytes: number): number => {
      const at = next;
      next += Math.ceil(bytes / 64) * 64;
      expect(next).toBeLessThan(memory.buffer.byteLength);
      return at;
    };
    const bytes = (shape: readonly number[]): number => 4 * shape.reduce((a, b) => a * b, 1);
    const bindings = [
      ...stored.map(({ shape }) => take(bytes(shape))),
      take(bytes(plan.inputs[0]!.shape)),
      ...plan.packed.map((index) => {
        const [n, k] = stored[index]!.shape as [number, number];
        return withPanels ? take(packedBytes(n, k)) : 0;
      }),
    ];
    runPlan(plan, counting, { arena: 65_536, bindings });
    return names;
  }

  function planOf(notation: string, shape: readonly number[]): { plan: Plan; stored: readonly Stored[] } {
    const { root } = readTree(notation, { maxModules: 100, maxDepth: 64 });
    const tracer = new Tracer();
    const graph = tracer.graph(traceModule(tracer, root, tracer.input({ shape, dtype: 'float32' })));
    return { plan: makePlan(graph, kernels), stored: graph.stored };
  }

  const LENET = `nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, 2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))`;

  it('of LeNet is seven kernels, and packs nothing while it runs', () => {
    const { plan, stored } = planOf(LENET, [1, 1, 28, 28]);
    const products = ['conv', 'max_pool', 'conv', 'max_pool', 'linear', 'linear', 'linear'];
    expect(kernelsOf(plan, stored, true).filter((name) => name !== 'pack')).toEqual(products);
    // The last weight is so small that its panels are not kept.
    expect(kernelsOf(plan, stored, true).filter((name) => name === 'pack')).toHaveLength(
      3 - plan.packed.length,
    );
  });

  it('of LeNet counts the operations of its products, and those of its pools and activations', () => {
    const products = 2 * (6 * 25 * 784 + 16 * 150 * 100 + 400 * 120 + 120 * 84 + 84 * 10);
    const { plan } = planOf(LENET, [1, 1, 28, 28]);
    expect(plan.cost).toBeGreaterThan(products);
    expect(plan.cost).toBeLessThan(1.25 * products);
    const batch = planOf(LENET, [32, 1, 28, 28]).plan;
    expect(batch.cost).toBe(32 * plan.cost);
    // The widest two layers beside each other, and what a convolution and a product need besides.
    const widest = 4 * 32 * (6 * 784 + 6 * 196);
    expect(batch.arenaBytes).toBeLessThan(widest + 262_144);
  });
});
