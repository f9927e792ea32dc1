import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '#src/errors.js';
import type { Alert } from '#src/models/alert-log.js';
import { ChangeTexts } from '#src/models/change-text.js';
import { Outbox, type SendOptions, type Socket } from '#src/models/outbox.js';
import {
  clientMessage,
  serverMessage,
  type ServerMessage,
  type SubscribeMessage,
} from '#src/models/stream-messages.js';
import { Subscriber, type Directory } from '#src/models/subscriptions.js';
import type { Statistics } from '#src/tensor/statistics.js';
import { changed, CountedSnapshot, ModelDirectory, WatchedModel } from './watched-models.js';

const LIMITS = { highWaterBytes: 1000, hardLimitBytes: 4000, graceMs: 50 };

/** A socket whose client reads all at once, or nothing until it is told to. */
class StubSocket implements Socket {
  readyState = 1;
  bufferedAmount = 0;
  reads = true;
  readonly received: ServerMessage[] = [];
  closed: { code: number; reason: string } | undefined;
  #unsent: (() => void)[] = [];

  send(data: string | Uint8Array, _options: SendOptions, sent: () => void): void {
    const text = String(data);
    this.received.push(serverMessage.parse(JSON.parse(text)));
    if (this.reads) return queueMicrotask(sent);
    this.bufferedAmount += text.length;
    this.#unsent.push(sent);
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  /** All that is unsent goes out; or all but so many bytes. */
  drain(left = 0): void {
    this.bufferedAmount = left;
    const written = left === 0 ? this.#unsent.length : 1;
    for (const sent of this.#unsent.splice(0, written)) sent();
  }

  /** What came since the last call. */
  take(): ServerMessage[] {
    return this.received.splice(0);
  }

  revisions(): number[] {
    return this.take().flatMap((message) => (message.type === 'change' ? [message.revision] : []));
  }
}

interface Setup {
  only?: string;
  texts?: ChangeTexts;
  maxSubscriptions?: number;
}

function connect(
  directory: Directory,
  { only, texts = new ChangeTexts(1000), maxSubscriptions = 8 }: Setup = {},
) {
  const socket = new StubSocket();
  const closings: { code: number; error?: unknown }[] = [];
  const connection = { cork: () => undefined, uncork: () => undefined, write: () => undefined };
  const onClosed = (reason: { code: number; error?: unknown }): void => {
    closings.push(reason);
    subscriber.close();
  };
  const outbox = new Outbox({ socket, connection, limits: LIMITS, onClosed });
  const limits = { maxSubscriptions, maxModelsPerSubscription: 3 };
  const subscriber = new Subscriber({ directory, outbox, texts, limits, only });
  const subscribe = (fields: Record<string, unknown> = {}): void =>
    subscriber.subscribe(clientMessage.parse({ type: 'subscribe', id: 'a', ...fields }) as SubscribeMessage);
  return { socket, subscriber, subscribe, closings };
}

function fault(attempt: () => void): Pick<ApiError, 'code' | 'errors'> & { detail: string } {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, errors: error.errors, detail: error.message };
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A promise that a test settles. */
function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

let net: WatchedModel;
let directory: ModelDirectory;

beforeEach(() => {
  net = new WatchedModel('net', { entries: 5 });
  directory = new ModelDirectory(net);
});

afterEach(() => {
  vi.useRealTimers();
});

describe('subscribed', () => {
  it("says each model's revision and epoch, and the one model's revision, before any change", () => {
    net.change();
    net.change();
    directory.add(new WatchedModel('other'));
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], after: 1 });
    expect(socket.take()).toMatchObject([
      { type: 'subscribed', id: 'a', models: { net: { revision: 2, epoch: 'net-epoch' } }, revision: 2 },
      { type: 'change', id: 'a', revision: 2 },
    ]);
    subscribe({ id: 7 });
    expect(socket.take()).toEqual([
      {
        type: 'subscribed',
        id: 7,
        models: { net: { revision: 2, epoch: 'net-epoch' }, other: { revision: 0, epoch: 'other-epoch' } },
      },
    ]);
  });

  it('without `after` the next change is the first sent', () => {
    net.change();
    const { socket, subscribe } = connect(directory);
    subscribe();
    net.change();
    expect(socket.revisions()).toEqual([2]);
  });

  it('without an id the server makes one that is free', () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ id: '2' });
    subscribe({ id: undefined });
    subscribe({ id: undefined });
    expect(socket.take().map((message) => 'id' in message && message.id)).toEqual(['2', '3', '4']);
  });
});

describe('a change', () => {
  const parameter = () => changed({ path: '0.weight', aliases: ['2.weight'], index: '1', values: [1, 42] });

  it.each([
    ['none', {}],
    ['values', { value: { dtype: 'float32', shape: [], data: [42] } }],
    ['stats', { stats: { mean: 21.5, max: 'Infinity' } }],
    ['histogram', { stats: { mean: 21.5, max: 'Infinity' } }],
  ])('of detail %s has exactly the fields of the wire', async (detail, extra) => {
    const snapshot = new CountedSnapshot([1, 42], () => Promise.resolve({ mean: 21.5, max: Infinity }));
    const { socket, subscribe } = connect(directory);
    subscribe({ detail });
    socket.take();
    net.change([{ ...parameter(), snapshot }], 'init');
    await settled();
    expect(socket.take()).toEqual([
      {
        type: 'change',
        id: 'a',
        model: 'net',
        epoch: 'net-epoch',
        revision: 1,
        kind: 'init',
        time: '2026-01-02T03:04:05.678Z',
        parameters: [
          { path: '0.weight', aliases: ['2.weight'], index: '1', shape: [2], dtype: 'float32', ...extra },
        ],
      },
    ]);
  });

  it('is of the values as of its revision, also where it is sent after later ones were made', () => {
    const { socket, subscribe } = connect(directory);
    for (const value of [1, 2, 3]) net.change([changed({ values: [value] })]);
    subscribe({ models: ['net'], after: 0, detail: 'values' });
    const values = socket.take().flatMap((message) => (message.type === 'change' ? message.parameters : []));
    expect(values.map(({ value }) => value?.data)).toEqual([[1], [2], [3]]);
  });

  it('is encoded once for all who watch it with values, whatever their prefixes, and not at all for others', () => {
    const texts = new ChangeTexts(1000);
    const watchers = [1, 2, 3].map(() => connect(directory, { texts }));
    for (const [i, { subscribe }] of watchers.entries()) {
      subscribe({ detail: 'values' });
      subscribe({ id: 'b', detail: 'values', prefix: '0.' });
      if (i === 0) subscribe({ id: 'c', detail: 'none' });
    }
    const [seen, unseen] = [new CountedSnapshot([1]), new CountedSnapshot([1])];
    net.change([changed({ snapshot: seen })]);
    expect(seen.reads).toBe(1);
    for (const { subscriber } of watchers) subscriber.close();
    const idle = connect(directory, { texts });
    idle.subscribe({ detail: 'none' });
    net.change([changed({ snapshot: unseen })]);
    expect(unseen.reads).toBe(0);
  });

  it('longer than all that is kept is still encoded once in the turn in which it is made, and not kept after it', async () => {
    const texts = new ChangeTexts(10);
    const watchers = [1, 2].map(() => connect(directory, { texts }));
    for (const { subscribe } of watchers) subscribe({ detail: 'values' });
    const snapshot = new CountedSnapshot([1]);
    net.change([changed({ snapshot })]);
    expect(snapshot.reads).toBe(1);
    await settled();
    connect(directory, { texts }).subscribe({ models: ['net'], after: 0, detail: 'values' });
    expect(snapshot.reads).toBe(2);
  });

  it('that cannot be encoded closes the socket with 1011 and leaves the writer and other clients alone', () => {
    const [broken, sound] = [connect(directory), connect(directory)];
    broken.subscribe({ detail: 'values' });
    sound.subscribe();
    const snapshot = new CountedSnapshot([1]);
    snapshot.read = () => {
      throw new Error('no such memory');
    };
    expect(net.change([changed({ snapshot })])).toBe(1);
    expect(broken.socket.closed?.code).toBe(1011);
    expect(broken.closings).toMatchObject([{ code: 1011, error: new Error('no such memory') }]);
    expect(sound.socket.revisions()).toEqual([1]);
  });
});

describe('what is asked for', () => {
  it('prefix: parameters one of whose names starts with it; other changes are passed over, and those after them sent', () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ prefix: '0.' });
    socket.take();
    net.change([
      changed({ path: '0.weight' }),
      changed({ path: '10.weight' }),
      changed({ path: '1.w', aliases: ['0.w'] }),
    ]);
    net.change([changed({ path: '10.weight' })]);
    net.change([], 'remove_module');
    net.change([changed({ path: '0.bias' })]);
    const changes = socket.take().map((message) => message.type === 'change' && message);
    expect(changes).toMatchObject([
      { revision: 1, parameters: [{ path: '0.weight' }, { path: '1.w' }] },
      { revision: 4, parameters: [{ path: '0.bias' }] },
    ]);
  });

  it('kinds: changes of these only', () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ kinds: ['init', 'tie'] });
    for (const kind of ['build', 'init', 'patch', 'tie'] as const) net.change(undefined, kind);
    expect(socket.revisions()).toEqual([2, 4]);
  });

  it('models: those named, and no other', () => {
    const other = new WatchedModel('other');
    directory.add(other);
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'] });
    other.change();
    net.change();
    expect(socket.take()).toMatchObject([{ type: 'subscribed' }, { type: 'change', model: 'net' }]);
  });

  it.each([undefined, ['*']])('models %j: all, and those made later from their first revision', (models) => {
    const { socket, subscribe } = connect(directory);
    subscribe({ models });
    const later = new WatchedModel('later');
    later.change(undefined, 'build');
    directory.add(later);
    later.change();
    net.change();
    expect(socket.take()).toMatchObject([
      { type: 'subscribed', models: { net: {} } },
      { model: 'later', revision: 1, kind: 'build' },
      { model: 'later', revision: 2 },
      { model: 'net', revision: 1 },
    ]);
  });
});

describe('resume', () => {
  it('after the last revision sends nothing, after an older one all that followed', () => {
    for (let i = 0; i < 4; i++) net.change();
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], after: 4 });
    expect(socket.revisions()).toEqual([]);
    subscribe({ id: 'b', models: ['net'], after: 2, epoch: 'net-epoch' });
    expect(socket.revisions()).toEqual([3, 4]);
    subscribe({ id: 'c', after: { net: 3 } });
    expect(socket.revisions()).toEqual([4]);
  });

  it('from the oldest the log keeps has no hole; one further back is a resync, then changes from there', () => {
    for (let i = 0; i < 8; i++) net.change();
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], after: 3 });
    expect(socket.revisions()).toEqual([4, 5, 6, 7, 8]);
    subscribe({ id: 'b', models: ['net'], after: 2 });
    expect(socket.take()).toMatchObject([
      { type: 'subscribed', revision: 8 },
      { type: 'resync', id: 'b', model: 'net', revision: 8, oldest: 4, epoch: 'net-epoch' },
    ]);
    net.change();
    expect(socket.revisions()).toEqual([9, 9]);
  });

  it.each([0, 3, 99])('after revision %i of another epoch is a resync', (after) => {
    for (let i = 0; i < 3; i++) net.change();
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], after, epoch: 'an earlier one' });
    expect(socket.take()).toMatchObject([{ type: 'subscribed' }, { type: 'resync', revision: 3, oldest: 1 }]);
    net.change();
    expect(socket.revisions()).toEqual([4]);
  });

  it('of a log that was cleared is a resync, and none where nothing was missed', () => {
    for (let i = 0; i < 3; i++) net.change();
    net.log.clear();
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], after: 2 });
    expect(socket.take()).toMatchObject([{ type: 'subscribed' }, { type: 'resync', revision: 3, oldest: 4 }]);
    subscribe({ id: 'b', models: ['net'], after: 3 });
    net.change();
    expect(socket.revisions()).toEqual([4, 4]);
  });

  it('after a revision in the future is REVISION_UNKNOWN, naming each model, and nothing is subscribed', () => {
    directory.add(new WatchedModel('other'));
    net.change();
    const { socket, subscribe } = connect(directory);
    expect(fault(() => subscribe({ after: { net: 2, other: 5 } }))).toMatchObject({
      code: 'REVISION_UNKNOWN',
      detail: expect.stringContaining('revision 2 is in the future: the model is at 1') as string,
      errors: [{ path: 'after.net' }, { path: 'after.other' }],
    });
    net.change();
    expect(socket.take()).toEqual([]);
  });

  it('of all models tells what was deleted meanwhile', () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ after: { net: 0, gone: 7, __proto__x: 1 }, epoch: { gone: 'e' } });
    expect(socket.take()).toMatchObject([
      { type: 'subscribed', models: { net: {} } },
      { type: 'deleted', id: 'a', model: 'gone', epoch: 'e', revision: 7 },
      { type: 'deleted', id: 'a', model: '__proto__x', epoch: null, revision: 1 },
    ]);
  });
});

describe('refusals', () => {
  it('name everything wrong at once', () => {
    const { subscribe } = connect(directory);
    subscribe();
    expect(
      fault(() => subscribe({ models: ['net', 'x', 'y', 'z'], after: 3, epoch: { q: 'e' } })).errors,
    ).toEqual([
      { path: 'id', message: 'there is already a subscription "a"' },
      { path: 'models', message: 'at most 3 models; leave it out to watch all' },
      { path: 'after', message: "one after is for one model; give an object with each model's" },
      { path: 'epoch.q', message: 'is not among the models watched' },
    ]);
  });

  it('of models that are not there are MODEL_NOT_FOUND, naming each', () => {
    const { subscribe } = connect(directory);
    expect(fault(() => subscribe({ models: ['net', 'constructor', '__proto__'] }))).toMatchObject({
      code: 'MODEL_NOT_FOUND',
      errors: [{ path: 'models[1]' }, { path: 'models[2]' }],
    });
  });

  it('of a subscription too many are QUOTA_EXCEEDED; unsubscribing makes room', () => {
    const { subscribe, subscriber } = connect(directory, { maxSubscriptions: 1 });
    subscribe();
    expect(fault(() => subscribe({ id: 'b' })).code).toBe('QUOTA_EXCEEDED');
    subscriber.unsubscribe('a');
    subscribe({ id: 'b' });
    expect(fault(() => subscriber.unsubscribe('a'))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'id' }],
    });
  });

  it('of another model than the stream is about', () => {
    directory.add(new WatchedModel('other'));
    const { socket, subscribe } = connect(directory, { only: 'net' });
    for (const models of [['other'], ['*'], ['net', 'other']]) {
      expect(fault(() => subscribe({ models }))).toMatchObject({
        code: 'INVALID_REQUEST',
        errors: [{ path: 'models' }],
      });
    }
    subscribe({ after: 0 });
    expect(socket.take()).toMatchObject([{ type: 'subscribed', models: { net: {} }, revision: 0 }]);
  });
});

describe('the end of a subscription', () => {
  it('unsubscribed: no change after it, and statistics under way are dropped', async () => {
    const stats = deferred<Record<string, unknown>>();
    const { socket, subscribe, subscriber } = connect(directory);
    subscribe({ detail: 'stats' });
    net.change([changed({ snapshot: new CountedSnapshot([1], () => stats.promise) })]);
    subscriber.unsubscribe('a');
    stats.resolve({});
    net.change();
    await settled();
    expect(socket.take().map(({ type }) => type)).toEqual(['subscribed', 'unsubscribed']);
  });

  it('closing lets go of the directory, the logs and what is held', async () => {
    const stats = deferred<Record<string, unknown>>();
    const snapshot = new CountedSnapshot([1], () => stats.promise);
    const { socket, subscribe, subscriber } = connect(directory);
    subscribe({ detail: 'stats' });
    net.change([changed({ snapshot })]);
    subscriber.close();
    net.log.clear();
    stats.resolve({});
    await settled();
    expect([directory.listeners, snapshot.releases]).toEqual([0, 1]);
    net.change();
    expect(socket.take().map(({ type }) => type)).toEqual(['subscribed']);
  });

  it('a model deleted: its last revision is told, and a model of that name made later is followed from its first', () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'] });
    net.change();
    directory.remove('net');
    net.change();
    const again = new WatchedModel('net', { epoch: 'second' });
    again.change(undefined, 'build');
    directory.add(again);
    expect(socket.take().slice(1)).toMatchObject([
      { type: 'change', revision: 1, epoch: 'net-epoch' },
      { type: 'deleted', id: 'a', model: 'net', epoch: 'net-epoch', revision: 1 },
      { type: 'change', revision: 1, epoch: 'second', kind: 'build' },
    ]);
  });

  it('a change whose statistics are awaited when its model is deleted is sent first, then `deleted`, then the successor', async () => {
    const stats = deferred<Record<string, unknown>>();
    const { socket, subscribe } = connect(directory);
    subscribe({ models: ['net'], detail: 'stats' });
    net.change([changed({ snapshot: new CountedSnapshot([1], () => stats.promise) })]);
    directory.remove('net');
    const again = new WatchedModel('net', { epoch: 'second' });
    again.change(undefined, 'build');
    directory.add(again);
    expect(socket.take()).toMatchObject([{ type: 'subscribed' }]);
    stats.resolve({ mean: 1 });
    await settled();
    expect(socket.take()).toMatchObject([
      { type: 'change', epoch: 'net-epoch', parameters: [{ stats: { mean: 1 } }] },
      { type: 'deleted', epoch: 'net-epoch', revision: 1 },
      { type: 'change', epoch: 'second' },
    ]);
  });
});

describe('statistics', () => {
  it('keep the order: later changes, also those already known, come after the one that waits', async () => {
    const [first, second] = [deferred<Record<string, unknown>>(), deferred<Record<string, unknown>>()];
    const { socket, subscribe } = connect(directory);
    subscribe({ detail: 'stats' });
    socket.take();
    net.change([changed({ snapshot: new CountedSnapshot([1], () => first.promise) })]);
    net.change([changed({ snapshot: new CountedSnapshot([1], () => second.promise) })]);
    net.change([]);
    second.resolve({ n: 2 });
    await settled();
    expect(socket.take()).toEqual([]);
    first.resolve({ n: 1 });
    await settled();
    expect(socket.revisions()).toEqual([1, 2, 3]);
  });

  it('are of a change that the log drops meanwhile too: it is held until they are there', async () => {
    const stats = deferred<Record<string, unknown>>();
    const snapshot = new CountedSnapshot([1], () => stats.promise);
    const { socket, subscribe } = connect(directory);
    subscribe({ detail: 'stats' });
    net.change([changed({ snapshot })]);
    for (let i = 0; i < 7; i++) net.change([]);
    expect([net.log.oldest, snapshot.releases]).toEqual([4, 0]);
    stats.resolve({});
    await settled();
    expect(snapshot.releases).toBe(1);
    expect(socket.take()).toMatchObject([
      { type: 'subscribed' },
      { type: 'change', revision: 1 },
      { type: 'resync', revision: 8, oldest: 4 },
    ]);
  });

  it('that could not be computed are null: the change is not lost', async () => {
    const { socket, subscribe } = connect(directory);
    subscribe({ detail: 'stats' });
    net.change([
      changed({ snapshot: new CountedSnapshot([1], () => Promise.reject(new Error('a worker was lost'))) }),
    ]);
    net.change([]);
    await settled();
    expect(socket.take().slice(1)).toMatchObject([
      { revision: 1, parameters: [{ stats: null }] },
      { revision: 2 },
    ]);
  });
});

describe('a client that does not read', () => {
  const big = () => [changed({ path: 'x'.repeat(900) })];

  it('is sent history in portions: never more unsent than the high-water mark and one message, all of it in the end', () => {
    for (let i = 0; i < 5; i++) net.change(big());
    const { socket, subscribe, closings } = connect(directory);
    socket.reads = false;
    subscribe({ models: ['net'], after: 0 });
    const revisions: number[] = [];
    for (let portion = 0; portion < 5; portion++) {
      expect(socket.bufferedAmount).toBeLessThan(LIMITS.highWaterBytes + 1200);
      revisions.push(...socket.revisions());
      socket.drain();
    }
    expect(revisions).toEqual([1, 2, 3, 4, 5]);
    expect(closings).toEqual([]);
  });

  it('is closed with 4008 once the hard limit was passed and the grace is over; unsent bytes stay below the limit and one message', () => {
    vi.useFakeTimers();
    const [slow, quick] = [connect(directory), connect(directory)];
    slow.socket.reads = false;
    slow.subscribe();
    quick.subscribe();
    for (let i = 0; i < 20; i++) net.change(big());
    expect(slow.socket.bufferedAmount).toBeLessThan(LIMITS.hardLimitBytes + 1200);
    vi.advanceTimersByTime(LIMITS.graceMs - 1);
    expect(slow.socket.closed).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(slow.socket.closed).toEqual({ code: 4008, reason: 'too slow' });
    expect(slow.closings).toEqual([{ code: 4008 }]);
    net.change(big());
    expect(quick.socket.revisions()).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  });

  it('is closed too where it reads, but not below the high-water mark', () => {
    vi.useFakeTimers();
    const { socket, subscribe } = connect(directory);
    socket.reads = false;
    subscribe();
    for (let i = 0; i < 6; i++) net.change(big());
    vi.advanceTimersByTime(LIMITS.graceMs / 2);
    socket.drain(LIMITS.highWaterBytes + 1);
    vi.advanceTimersByTime(LIMITS.graceMs / 2);
    expect(socket.closed?.code).toBe(4008);
  });

  it('and reads again within the grace is sent the rest, or a resync where the log has it no more', () => {
    vi.useFakeTimers();
    const { socket, subscribe } = connect(directory);
    socket.reads = false;
    subscribe();
    for (let i = 0; i < 6; i++) net.change(big());
    expect(socket.revisions()).toEqual([1, 2, 3, 4]);
    socket.drain();
    expect(socket.revisions()).toEqual([5, 6]);
    socket.drain();
    for (let i = 0; i < 12; i++) net.change(big());
    expect(socket.revisions()).toEqual([7, 8, 9, 10]);
    socket.drain();
    expect(socket.take()).toMatchObject([{ type: 'resync', revision: 18, oldest: 14 }]);
    vi.advanceTimersByTime(10 * LIMITS.graceMs);
    net.change([]);
    expect(socket.revisions()).toEqual([19]);
    expect(socket.closed).toBeUndefined();
  });
});

describe('any interleaving', () => {
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.constant('change' as const) },
    fc.constant('leave' as const),
    fc.constant('return' as const),
    fc.constant('stop reading' as const),
    fc.constant('read' as const),
    fc.constant('turn' as const),
  );
  const detail = fc.constantFrom('none', 'stats', 'histogram', 'values');

  it('of changes, reconnects with `after`, stalls and late statistics tells each revision once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(detail, fc.array(action, { maxLength: 60 }), async (detail, actions) => {
        const model = new WatchedModel('net', { entries: 1000 });
        const models = new ModelDirectory(model);
        const seen: number[] = [];
        let client: ReturnType<typeof connect> | undefined;
        const arrive = (): void => {
          client ??= connect(models);
          client.subscribe({ models: ['net'], after: seen.at(-1) ?? 0, detail });
        };
        const leave = (): void => {
          seen.push(...(client?.socket.revisions() ?? []));
          client?.subscriber.close();
          client = undefined;
        };
        const slowly = (): Promise<Record<string, unknown>> =>
          new Promise((resolve) => setImmediate(() => resolve({ mean: 0 })));
        const steps = {
          change: () => {
            model.change([
              changed({ path: 'x'.repeat(300), snapshot: new CountedSnapshot([model.revision + 1], slowly) }),
            ]);
          },
          leave,
          return: () => {
            leave();
            arrive();
          },
          'stop reading': () => client && (client.socket.reads = false),
          read: () => {
            if (client) client.socket.reads = true;
            client?.socket.drain();
          },
          turn: settled,
        };
        for (const name of actions) await steps[name]();
        leave();
        arrive();
        for (let i = 0; i < 200 && (seen.at(-1) ?? 0) < model.revision; i++) {
          await settled();
          seen.push(...client!.socket.revisions());
        }
        expect(seen).toEqual(Array.from({ length: model.revision }, (_, i) => i + 1));
        client!.subscriber.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('alerts', () => {
  const alert = (revision: number, { path = '0.weight', aliases = [] as string[] } = {}): Alert => ({
    revision,
    time: '2026-01-02T03:04:05.678Z',
    watchpoint: '1',
    path,
    aliases,
    on: 'value',
    when: 'norm > 100',
    stats: { norm: 'Infinity' } as Statistics,
  });
  const told = (socket: StubSocket): string[] =>
    socket.take().flatMap((message) => {
      if (message.type === 'change') return [`change ${message.revision}`];
      return message.type === 'alert' ? [`alert ${message.revision}`] : [];
    });

  it('have exactly the fields of the wire', () => {
    const { socket, subscribe } = connect(directory);
    subscribe();
    net.change();
    socket.take();
    net.alerts.append(alert(1, { aliases: ['2.weight'] }));
    expect(socket.take()).toEqual([
      {
        type: 'alert',
        id: 'a',
        model: 'net',
        epoch: 'net-epoch',
        revision: 1,
        time: '2026-01-02T03:04:05.678Z',
        watchpoint: '1',
        path: '0.weight',
        aliases: ['2.weight'],
        on: 'value',
        when: 'norm > 100',
        stats: { norm: 'Infinity' },
      },
    ]);
  });

  it('come after the change of their revision, however late that is told', async () => {
    const stats = deferred<Record<string, unknown>>();
    const { socket, subscribe } = connect(directory);
    subscribe({ detail: 'stats' });
    net.change([changed({ snapshot: new CountedSnapshot([1], () => stats.promise) })]);
    net.change();
    net.alerts.append(alert(1));
    net.alerts.append(alert(2));
    expect(told(socket)).toEqual([]);
    stats.resolve({});
    await settled();
    expect(told(socket)).toEqual(['change 1', 'alert 1', 'change 2', 'alert 2']);
  });

  it('go to those whose prefix covers one of the names, whatever kinds of changes they asked for', () => {
    const sockets = [{ prefix: '2.' }, { prefix: '1.' }, { kinds: ['init'] }].map((fields) => {
      const { socket, subscribe } = connect(directory);
      subscribe(fields);
      return socket;
    });
    net.change();
    net.alerts.append(alert(1, { aliases: ['2.weight'] }));
    expect(sockets.map(told)).toEqual([['alert 1'], [], ['alert 1']]);
  });

  it('of the past are told to who resumes, those of its last revision again; to others only those to come', () => {
    for (let i = 0; i < 3; i++) net.change();
    for (const revision of [1, 2, 3]) net.alerts.append(alert(revision));
    const resumed = connect(directory);
    resumed.subscribe({ models: ['net'], after: 2 });
    const fresh = connect(directory);
    fresh.subscribe();
    net.alerts.append(alert(3));
    expect(told(resumed.socket)).toEqual(['alert 2', 'change 3', 'alert 3', 'alert 3']);
    expect(told(fresh.socket)).toEqual(['alert 3']);
  });

  it('are not sent to a client that does not read, and are when it does', () => {
    const { socket, subscribe } = connect(directory);
    subscribe();
    net.change();
    socket.take();
    socket.bufferedAmount = LIMITS.hardLimitBytes + 1;
    net.alerts.append(alert(1));
    expect(told(socket)).toEqual([]);
    socket.bufferedAmount = 0;
    net.change();
    expect(told(socket)).toEqual(['alert 1', 'change 2']);
  });

  it('end with their model: those that are due come before `deleted`', () => {
    const { socket, subscribe } = connect(directory);
    subscribe();
    socket.take();
    net.change();
    net.alerts.append(alert(1));
    directory.remove('net');
    expect(socket.take().map(({ type }) => type)).toEqual(['change', 'alert', 'deleted']);
  });
});
