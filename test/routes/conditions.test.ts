// Preconditions, dry runs and retries, for every route that changes something.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { operations } from '../contract/document.js';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly etag: string | null;
  readonly replayed: boolean;
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    body:
      text === ''
        ? undefined
        : (JSON.parse(text, (key, value: unknown) => (key === 'request_id' ? '…' : value)) as unknown),
    etag: answer.headers.get('etag'),
    replayed: answer.headers.get('idempotency-replayed') === 'true',
  } satisfies Answer;
}

const at = '/v1/models/net';
const MLP = 'nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))';
const inputs = [[1, 2, 3]];

/** A request of each operation that changes something, on the model `net` or the data set `data`. */
const CHANGES: Record<string, [path: string, body?: unknown]> = {
  buildModel: ['/v1/models', { name: 'other', seed: 1, architecture: 'nn.Linear(1, 1)' }],
  deleteModel: [at],
  putModule: [`${at}/modules/3`, { architecture: 'nn.ReLU()' }],
  removeModule: [`${at}/modules/1`],
  patchParameters: [`${at}/parameters`, { parameters: { '0.bias': { ops: [{ op: 'add', value: 1 }] } } }],
  setParameter: [`${at}/parameters/0.bias`, { value: [1, 2, 3] }],
  patchParameter: [`${at}/parameters/0.bias`, { ops: [{ op: 'add', value: 1 }] }],
  initParameters: [`${at}/init`, { rules: [{ init: { name: 'normal' } }] }],
  materialize: ['/v1/models/lazy/materialize', { shape: [1, 2] }],
  tieParameters: [`${at}/ties`, { paths: ['0.weight', '2.weight'] }],
  untieParameters: ['/v1/models/tied/ties', { paths: ['1.weight'] }],
  loadStateDict: [`${at}/state_dict?strict=false`, { state_dict: { '0.bias': [3, 2, 1] } }],
  forward: ['/v1/models/norm/forward', { inputs: [[1, 2, 3], [3, 2, 2]], mode: 'train' }],
  backward: [`${at}/backward`, { inputs, output_grad: [[1, 1, 1]] }],
  zeroGrad: [`${at}/zero_grad`, {}],
  loadOptimizer: [`${at}/optimizer`, { optimizer: 'SGD', param_groups: [{ params: ['0.bias'] }], state: {} }],
  train: [`${at}/train?wait=true`, { optimizer: { name: 'SGD' }, loss: 'mse', inputs, targets: inputs }],
  addWatchpoint: [`${at}/watchpoints`, { path: '**', when: 'nan > 0' }],
  removeWatchpoint: [`${at}/watchpoints/1`],
  putDataset: ['/v1/datasets/data', { columns: { x: [4, 5] } }],
  deleteDataset: ['/v1/datasets/data'],
}; // prettier-ignore

const methodOf = (id: string): string => operations.find(({ operationId }) => operationId === id)!.method;
const change = (id: string, query = '', headers: Record<string, string> = {}) => {
  const [path, body] = CHANGES[id]!;
  return send(methodOf(id), path + (query && (path.includes('?') ? '&' : '?') + query), body, headers);
};

/** Everything that a client can see of what the changes are about. */
async function visible(): Promise<unknown> {
  const paths = ['net', 'norm', 'lazy', 'tied'].flatMap((name) =>
    ['', '/state_dict', '/optimizer', '/parameters?include=value,grad', '/watchpoints', '/changes'].map(
      (part) => `/v1/models/${name}${part}`,
    ),
  );
  const all = [...paths, '/v1/models', '/v1/datasets', '/v1/datasets/data?rows=:', '/v1/jobs'];
  return Promise.all(all.map(async (path) => [path, (await send('GET', path)).body]));
}

async function etagOf(id: string): Promise<string> {
  const [path] = CHANGES[id]!;
  const [, of] = /^(\/v1\/(?:models|datasets)\/[^/?]+)/.exec(path)!;
  return (await send('GET', of!)).etag!;
}

beforeEach(async () => {
  for (const name of ['net', 'norm', 'lazy', 'tied', 'other']) await send('DELETE', `/v1/models/${name}`);
  await send('DELETE', '/v1/datasets/data');
  const build = (name: string, architecture: string) =>
    send('POST', '/v1/models', { name, seed: 0, architecture });
  await build('net', MLP);
  await build('norm', 'nn.BatchNorm1d(3)');
  await build('lazy', 'nn.LazyLinear(2)');
  await build('tied', 'nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))');
  await send('POST', '/v1/models/tied/ties', { paths: ['0.weight', '1.weight'] });
  await send('POST', `${at}/backward`, { inputs, output_grad: [[1, 1, 1]] });
  await send('POST', `${at}/watchpoints`, { path: '**', when: 'nan > 0' });
  await send('PUT', '/v1/datasets/data', { columns: { x: [1, 2, 3] } });
});

const ids = Object.keys(CHANGES);

describe('every route that changes something', () => {
  it('is among these, and says so', () => {
    const said = operations.filter(({ parameters }) => parameters?.some(({ name }) => name === 'dry_run'));
    expect(said.map(({ operationId }) => operationId).sort()).toEqual([...ids].sort());
  });

  it.each(ids)('%s: a dry run has the answer, and changes nothing', async (id) => {
    const before = await visible();
    const dry = await change(id, 'dry_run=true');
    expect(dry.status, JSON.stringify(dry.body)).toBeLessThan(300);
    expect(await visible()).toEqual(before);
    const done = await change(id);
    expect(done.status).toBe(dry.status);
    const steady = (body: unknown): unknown =>
      JSON.parse(JSON.stringify(body ?? null), (key, value: unknown) =>
        /^(epoch|id|created|seconds|seconds_left|examples_per_second)$/.test(key) ? '…' : value,
      );
    if (id !== 'train') expect(steady(done.body)).toEqual(steady(dry.body));
    expect(await visible()).not.toEqual(before);
  });

  it.each(ids)(
    '%s: is refused where it is not the revision that is known, and made where it is',
    async (id) => {
      const before = await visible();
      const stale = await change(id, '', { 'if-match': '"3e0417d8-dc1a-4376-b768-f169c99fd23c-1"' });
      expect(stale.status).toBe(412);
      expect(stale.body).toMatchObject({ code: 'REVISION_MISMATCH' });
      expect(await visible()).toEqual(before);
      if (id === 'buildModel') return;
      const now = await etagOf(id);
      expect(stale.etag).toBe(now);
      for (const wrong of [`W/${now}`, 'no tag']) {
        expect((await change(id, '', { 'if-match': wrong })).status).toBe(wrong === 'no tag' ? 422 : 412);
      }
      expect((await change(id, '', { 'if-match': `"x", ${now}` })).status).toBeLessThan(300);
    },
  );

  it.each(ids)('%s: is done once under one key, and answered each time', async (id) => {
    const headers = { 'idempotency-key': `${id}-${Math.random()}` };
    const first = await change(id, '', headers);
    expect(first).toMatchObject({ replayed: false });
    expect(first.status, JSON.stringify(first.body)).toBeLessThan(300);
    const after = await visible();
    const again = await change(id, '', headers);
    expect(again).toEqual({ ...first, replayed: true });
    expect(await visible()).toEqual(after);
    const other = await change(id, 'dry_run=true', headers);
    expect(other.status).toBe(422);
    expect(other.body).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });
});

describe('of a hundred writers on one revision', () => {
  it('exactly one succeeds', async () => {
    const etag = await etagOf('patchParameter');
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        send('PUT', `${at}/parameters/0.bias`, { value: [i, i, i] }, { 'if-match': etag }),
      ),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(99);
    const winner = answers.indexOf(won[0]!);
    const { body } = await send('GET', `${at}/parameters/0.bias`);
    expect(body).toMatchObject({ value: { data: [winner, winner, winner] } });
  });
});

describe('a key', () => {
  const patch = { ops: [{ op: 'add', value: 1 }] };
  const ask = (key: string, body: unknown = patch) =>
    send('PATCH', `${at}/parameters/0.bias`, body, { 'idempotency-key': key });

  it('of a request that runs is refused, and is free again when that failed for a moment', async () => {
    const key = `slow-${Math.random()}`;
    const endless = { optimizer: { name: 'SGD' }, loss: 'mse', inputs, targets: inputs, epochs: 1_000_000, commit_every: 1_000_000 };
    const { body } = await send('POST', `${at}/train`, endless);
    const { id } = body as { id: string };
    // It waits for the job's commit.
    const first = ask(key);
    let second = await ask(key);
    while (second.status !== 409) second = await ask(key);
    expect(second.body).toMatchObject({ code: 'IDEMPOTENCY_KEY_IN_USE' });
    await send('DELETE', `/v1/jobs/${id}`);
    expect((await first).status).toBe(200);
    expect(await ask(key)).toEqual({ ...(await first), replayed: true });
    const late = `late-${Math.random()}`;
    const { body: other } = await send('POST', `${at}/train`, endless);
    const headers = { 'idempotency-key': late, timeout: '20' };
    const given = await send('PATCH', `${at}/parameters/0.bias`, patch, headers);
    expect(given.status).toBe(504);
    await send('DELETE', `/v1/jobs/${(other as { id: string }).id}`);
    const retried = await send('PATCH', `${at}/parameters/0.bias`, patch, headers);
    expect(retried).toMatchObject({ status: 200, replayed: false });
  }); // prettier-ignore

  it('keeps a refusal, too, whatever has become of its reason', async () => {
    const headers = { 'idempotency-key': `refused-${Math.random()}` };
    const build = () => send('POST', '/v1/models', { name: 'norm', architecture: MLP }, headers);
    const first = await build();
    expect(first.status).toBe(409);
    await send('DELETE', '/v1/models/norm');
    expect(await build()).toEqual({ ...first, replayed: true });
  });

  it('has visible characters, 255 at most', async () => {
    for (const key of ['x'.repeat(256), 'a b', '']) {
      const { status, body } = await ask(key);
      expect(status).toBe(422);
      expect(body).toMatchObject({ errors: [{ path: 'header.idempotency-key' }] });
    }
  });

  it('is forgotten when so many came after it, or so much time has passed', async () => {
    const small = await startServer({ env: { WEIGHTROOM_IDEMPOTENCY_KEYS: '2' } });
    await small.request('POST', '/v1/models', { name: 'net', architecture: MLP });
    const put = async (key: string): Promise<boolean> => {
      const answer = await fetch(`${small.url}${at}/parameters/0.bias`, {
        method: 'PUT',
        body: '{"value": 1}',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
      });
      await answer.text();
      return answer.headers.get('idempotency-replayed') === 'true';
    };
    expect([await put('a'), await put('a'), await put('b'), await put('b'), await put('c')]).toEqual([
      ...[false, true, false, true, false],
    ]);
    expect(await put('a')).toBe(false);
    await small.stop();
  });
});
