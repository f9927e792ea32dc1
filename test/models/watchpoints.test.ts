import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Alert } from '#src/models/alert-log.js';
import type { Model } from '#src/models/model.js';
import { Watchpoints } from '#src/models/watchpoints.js';
import { WorkerLostError } from '#src/runtime/pool.js';
import { startEngine, type Engine } from './engine.js';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ workers: 2, limits: { maxWatchpoints: 3 } });
});
afterAll(() => engine.stop());
afterEach(() => vi.restoreAllMocks());

const ARCHITECTURE = 'nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Sequential(nn.Linear(8, 1)))';

async function fresh(architecture = ARCHITECTURE): Promise<Model> {
  if (engine.registry.find('net')) await engine.registry.delete('net');
  await engine.registry.build({ name: 'net', seed: 0, architecture });
  return engine.registry.get('net');
}

interface Described {
  id: string;
  revision: number;
  evaluated: number;
  state: Map<string, boolean>;
  fired: number;
  last_alert: { revision: number; path: string } | null;
}

async function add(model: Model, path: string, when: string, on: 'value' | 'grad' = 'value') {
  const { id, state, ...rest } = (await model.addWatchpoint({ path, when, on })) as unknown as Described;
  return {
    ...rest,
    id,
    state: Object.fromEntries(state),
    async now() {
      const described = (await model.watchpoint(id)) as unknown as Described;
      return { ...described, state: Object.fromEntries(described.state) };
    },
  };
}

function alertsOf({ alerts }: Model): Alert[] {
  const found: Alert[] = [];
  for (let next = alerts.next(0); next; next = alerts.next(next.after)) found.push(next.alert);
  return found;
}

const set = (model: Model, path: string, value: unknown) => model.setParameter(path, { value });

describe('a watchpoint', () => {
  it('tells at once what holds, and alerts of none of it', async () => {
    const model = await fresh();
    const made = await add(model, '**.weight', 'max == 1');
    expect(made.state).toEqual({ '0.weight': false, '1.weight': true, '2.0.weight': false });
    expect(made).toMatchObject({ revision: 1, evaluated: 1, fired: 0, last_alert: null });
    expect(alertsOf(model)).toEqual([]);
  });

  it('covers buffers too, and of one name what stands at that depth', async () => {
    const model = await fresh();
    const { state } = await add(model, '*.num*', 'max >= 0');
    expect(state).toEqual({ '1.num_batches_tracked': true });
    expect((await add(model, '*.bias', 'numel > 4')).state).toEqual({ '0.bias': true, '1.bias': true });
  });

  it('fires when its condition becomes true, is silent while it stays so, and is armed again when it is false', async () => {
    const model = await fresh();
    const watched = await add(model, '0.bias', 'norm > 100 or nan > 0');
    for (const value of [1, 1000, 2000, 'NaN', 0, 500]) await set(model, '0.bias', value);
    const now = await watched.now();
    expect(now).toMatchObject({ evaluated: 7, fired: 2, state: { '0.bias': true } });
    expect(alertsOf(model).map(({ revision }) => revision)).toEqual([3, 7]);
    expect(now.last_alert).toMatchObject({ revision: 7, path: '0.bias', stats: { max: 500, numel: 8 } });
  });

  it('looks at every revision, however fast they are made, each by itself', async () => {
    const model = await fresh();
    const watched = await add(model, '0.bias', 'max > 0.75');
    await Promise.all(Array.from({ length: 40 }, (_, i) => set(model, '0.bias', i % 2)));
    const { fired, evaluated } = await watched.now();
    expect({ fired, evaluated }).toEqual({ fired: 20, evaluated: 41 });
    expect(alertsOf(model).every(({ revision }) => revision % 2 === 1)).toBe(true);
  });

  it('looks at nothing that a change does not touch, and at what is touched once for all watchpoints', async () => {
    const model = await fresh('nn.Sequential(nn.Linear(128, 64), nn.Linear(64, 128))');
    const watched = [await add(model, '*.weight', 'norm > 1e6'), await add(model, '**', 'nan > 0')];
    const calls = vi.spyOn(engine.pool, 'call');
    await set(model, '0.weight', 2);
    await Promise.all(watched.map((watchpoint) => watchpoint.now()));
    expect(calls.mock.calls.filter(([name]) => name === 'moments')).toHaveLength(1);
  });

  it('does not delay the change: it is answered while the statistics are not there', async () => {
    const model = await fresh('nn.Linear(128, 64)');
    const watched = await add(model, 'weight', 'max > 1');
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    let allow!: () => void;
    const allowed = new Promise<void>((resolve) => (allow = resolve));
    const call = engine.pool.call.bind(engine.pool);
    vi.spyOn(engine.pool, 'call').mockImplementation((async (name: 'moments', args: never) => {
      if (name === 'moments') {
        begin();
        await allowed;
      }
      return call(name, args);
    }) as typeof call);
    expect(await set(model, 'weight', 5)).toMatchObject({ revision: 2 });
    await begun;
    expect(alertsOf(model)).toEqual([]);
    allow();
    expect(await watched.now()).toMatchObject({ fired: 1, evaluated: 2 });
  });

  it('of a tied parameter is found by any of its names, and told of once', async () => {
    const model = await fresh();
    await model.tie(['0.bias', '1.bias']);
    const watched = await add(model, '1.bias', 'max > 10');
    await set(model, '1.bias', 11);
    expect(await watched.now()).toMatchObject({ fired: 1, state: { '0.bias': true } });
    expect(alertsOf(model)).toMatchObject([{ path: '0.bias', aliases: ['1.bias'], watchpoint: watched.id }]);
  });

  it('survives edits of the tree: it covers the paths that there are then', async () => {
    const model = await fresh();
    const watched = await add(model, '*.weight', 'max == 1');
    expect(watched.state).toEqual({ '0.weight': false, '1.weight': true });
    await model.removeModule('0');
    // What was at 1 is at 0 now; nothing was written to it.
    expect((await watched.now()).state).toEqual({ '0.weight': true });
    expect(alertsOf(model)).toMatchObject([{ revision: 2, path: '0.weight' }]);
    await model.putModule('2', 'nn.LayerNorm(3)');
    expect((await watched.now()).state).toEqual({ '0.weight': true, '2.weight': true });
    expect(alertsOf(model)).toMatchObject([{ revision: 2 }, { revision: 3, path: '2.weight' }]);
  });

  it('goes on with the present where the log has dropped what came next', async () => {
    const model = await fresh();
    const watched = await add(model, '0.bias', 'max > 10');
    await set(model, '0.bias', 11);
    model.log.clear();
    expect(await watched.now()).toMatchObject({ evaluated: 2, fired: 1 });
  });

  it('looks again where a worker was lost, and keeps what it knew where that one was lost too', async () => {
    const model = await fresh('nn.Linear(128, 64)');
    const watched = await add(model, 'weight', 'max > 10');
    let failures = 1;
    const call = engine.pool.call.bind(engine.pool);
    vi.spyOn(engine.pool, 'call').mockImplementation(((name: 'moments', args: never) =>
      name === 'moments' && failures-- > 0
        ? Promise.reject(new WorkerLostError('lost'))
        : call(name, args)) as typeof call);
    await set(model, 'weight', 11);
    expect(await watched.now()).toMatchObject({ evaluated: 2, fired: 1, state: { weight: true } });
    failures = 2;
    await set(model, 'weight', 0);
    expect(await watched.now()).toMatchObject({ evaluated: 3, state: { weight: true } });
    failures = 1;
    await expect(add(model, 'weight', 'mean > 10')).rejects.toMatchObject({ code: 'WORKER_LOST' });
    expect(((await model.listWatchpoints()).watchpoints as unknown[]).length).toBe(1);
  });

  it('on gradients does not hold where there are none', async () => {
    const model = await fresh();
    const watched = await add(model, '0.*', 'numel > 0', 'grad');
    expect(watched.state).toEqual({ '0.weight': false, '0.bias': false });
    await set(model, '0.bias', 3);
    expect(await watched.now()).toMatchObject({ evaluated: 2, fired: 0 });
  });
});

describe('watchpoints', () => {
  it('are no changes: the revision stays', async () => {
    const model = await fresh();
    const { id } = await add(model, '**', 'nan > 0');
    model.removeWatchpoint(id);
    expect(model.revision).toBe(1);
  });

  it('more than a model may have are QUOTA_EXCEEDED; removing one makes room, and its id is not given again', async () => {
    const model = await fresh();
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await add(model, '**', 'nan > 0')).id);
    await expect(add(model, '**', 'nan > 0')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    model.removeWatchpoint(ids[1]!);
    expect(ids).not.toContain((await add(model, '**', 'nan > 0')).id);
    await expect(model.watchpoint(ids[1]!)).rejects.toMatchObject({ code: 'WATCHPOINT_NOT_FOUND' });
  });

  it('with a condition that cannot be read are EXPRESSION_INVALID, and are not made', async () => {
    const model = await fresh();
    await expect(add(model, '**', 'nrom > 1')).rejects.toMatchObject({
      code: 'EXPRESSION_INVALID',
      errors: [{ path: 'when', message: 'unknown name nrom; did you mean norm?, at character 1' }],
    });
    expect(((await model.listWatchpoints()).watchpoints as unknown[]).length).toBe(0);
  });

  it('removed alert of nothing any more, and hold nothing of the log', async () => {
    const model = await fresh();
    const { id } = await add(model, '**', 'max > 10');
    const changed = set(model, '0.bias', 11);
    model.removeWatchpoint(id);
    await changed;
    await add(model, '0.bias', 'max > 20');
    expect(alertsOf(model)).toEqual([]);
  });

  it('end with their model: nothing of it is held', async () => {
    const model = await fresh();
    await add(model, '**', 'max > 10');
    const changing = set(model, '0.bias', 11);
    await engine.registry.delete('net');
    await changing;
    await vi.waitFor(() => expect(engine.memory.bytesInUse).toBe(0));
  });

  it('are looked at after a change in one turn, all of them once', async () => {
    const model = await fresh();
    const watchpoints = new Watchpoints(model, 4);
    const made = await watchpoints.add({ path: '0.bias', when: 'max > 10', on: 'value' });
    const runs = vi.spyOn(made, 'run');
    await set(model, '0.bias', 11);
    await made.upToDate();
    expect(runs).toHaveBeenCalledTimes(1);
    watchpoints.close();
  });
});
