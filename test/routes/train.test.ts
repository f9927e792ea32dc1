// Training over HTTP: loops as PyTorch runs them, what is kept of an optimizer, and models that do not know their shapes yet.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ELEMENTWISE } from '#src/nn/optim/table.js';
import { excess } from '../kernels/instance.js';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const at = '/v1/models/net';
const MLP = 'nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))';

interface Tensor {
  readonly shape: number[];
  readonly data: number[];
}
type State = Record<string, Tensor>;

async function build(architecture: unknown = MLP, seed = 0): Promise<void> {
  await server.request('DELETE', at);
  const { status, text } = await server.request('POST', '/v1/models', { name: 'net', seed, architecture });
  expect(status, text).toBe(201);
}
beforeEach(() => build());

async function train(body: object): Promise<{ status: string; losses: number[]; lr: number[] }> {
  const answer = await server.request('POST', `${at}/train?wait=true`, body);
  expect(answer.status, answer.text).toBe(200);
  return answer.body as { status: string; losses: number[]; lr: number[] };
}

async function weights(): Promise<State> {
  const { body } = await server.request('GET', `${at}/state_dict`);
  return (body as { state_dict: State }).state_dict;
}
async function load(state_dict: State): Promise<void> {
  expect((await server.request('PUT', `${at}/state_dict`, { state_dict })).status).toBe(200);
}

interface Loop {
  readonly request: { readonly optimizer: { readonly name: string }; readonly scheduler?: { name: string } };
  readonly before: State;
  readonly losses: number[];
  readonly lr: number[];
  readonly after: State;
}
const { inputs, targets, cases } = JSON.parse(
  readFileSync(new URL('../fixtures/jobs.json', import.meta.url), 'utf8'),
) as { inputs: Tensor; targets: Tensor; cases: Loop[] };
const data = { inputs, targets, loss: 'mse_loss' };

describe("PyTorch's loop", () => {
  const label = ({ request }: Loop, i: number): string => `${i}: ${JSON.stringify(request)}`;
  it.each(cases.map((loop, i) => [label(loop, i), loop] as const))('%s', async (_label, loop) => {
    await load(loop.before);
    const job = await train({ ...data, ...loop.request });
    expect(excess(Float32Array.from(job.losses), loop.losses, 1e-4, 1e-5)).toBeLessThanOrEqual(1);
    expect(excess(Float64Array.from(job.lr) as never, loop.lr, 1e-6, 1e-9)).toBeLessThanOrEqual(1);
    const after = await weights();
    for (const [name, expected] of Object.entries(loop.after)) {
      const found = Float32Array.from(after[name]!.data);
      expect(excess(found, expected.data, 1e-4, 1e-5), name).toBeLessThanOrEqual(1);
    }
  });
});

const OPTIMIZERS = Object.keys(ELEMENTWISE);
const momentum = (name: string) => (name === 'SGD' || name === 'RMSprop' ? { momentum: 0.9 } : {});
const steps = (name: string, epochs: number, more: object = {}) =>
  train({ ...data, optimizer: { name, lr: 0.01, ...momentum(name) }, epochs, batch_size: 2, ...more });

interface Kept {
  readonly optimizer: string | null;
  readonly param_groups: { params: string[]; lr: number }[];
  readonly state: State;
}
async function kept(): Promise<Kept> {
  const { body } = await server.request('GET', `${at}/optimizer`);
  const { optimizer, param_groups, state } = body as Kept;
  return { optimizer, param_groups, state };
}

describe('a training that goes on', () => {
  it.each(OPTIMIZERS)('with the state of %s is one, to the bit', async (name) => {
    await steps(name, 4);
    const whole = [await weights(), await kept()];
    await build();
    await steps(name, 2);
    await steps(name, 2, { resume: true });
    expect([await weights(), await kept()]).toEqual(whole);
  });

  it.each(OPTIMIZERS)('from the state of %s in another model is one, to the bit', async (name) => {
    await steps(name, 4);
    const whole = await weights();
    await build();
    await steps(name, 2);
    const [values, state] = [await weights(), await kept()];
    await build(MLP, 9);
    await load(values);
    const restored = await server.request('PUT', `${at}/optimizer`, state);
    expect(restored.status, restored.text).toBe(200);
    expect(await kept()).toEqual(state);
    await steps(name, 2, { resume: true });
    expect(await weights()).toEqual(whole);
  });
});

describe('a training by LBFGS that goes on', () => {
  const minimise = (epochs: number, more: object = {}) =>
    train({ ...data, optimizer: { name: 'LBFGS', max_iter: 3, history_size: 2 }, epochs, ...more });

  it('is one, to the bit, here and in another model', async () => {
    await minimise(4);
    const whole = [await weights(), await kept()];
    await build();
    await minimise(2);
    const [values, state] = [await weights(), await kept()];
    expect(state.state['0.weight.old_dirs']!.shape).toEqual([2, 26]);
    await minimise(2, { resume: true });
    expect([await weights(), await kept()]).toEqual(whole);
    await build(MLP, 9);
    await load(values);
    const restored = await server.request('PUT', `${at}/optimizer`, state);
    expect(restored.status, restored.text).toBe(200);
    expect(await kept()).toEqual(state);
    await minimise(2, { resume: true });
    expect([await weights(), await kept()]).toEqual(whole);
  });

  it('is not one of another history', async () => {
    await minimise(1);
    const answer = await server.request('POST', `${at}/train`, {
      ...{ ...data, optimizer: { name: 'LBFGS', history_size: 3 }, resume: true },
    });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ errors: [{ path: 'resume' }] });
  });

  it('lets go of what another optimizer kept', async () => {
    await minimise(1);
    const used = server.engine.registry.get('net').bytes;
    await steps('SGD', 1);
    expect(server.engine.registry.get('net').bytes).toBeLessThan(used);
    expect(Object.keys((await kept()).state).every((key) => key.endsWith('momentum_buffer'))).toBe(true);
  });
});

describe("an optimizer's state", () => {
  it('is nothing before a training', async () => {
    expect(await kept()).toEqual({ optimizer: null, param_groups: [], state: {} });
  });

  it('has dotted names, and the settings of each group', async () => {
    const groups = [{ params: '0.*', lr: 0.5 }];
    await train({ ...data, optimizer: { name: 'Adam', groups }, epochs: 1 });
    const { optimizer, param_groups, state } = await kept();
    expect(optimizer).toBe('Adam');
    expect(param_groups).toMatchObject([
      { params: ['0.weight', '0.bias'], lr: 0.5, betas: [0.9, 0.999] },
      { params: ['2.weight', '2.bias'], lr: 0.001 },
    ]);
    const tensors = ['exp_avg', 'exp_avg_sq', 'step'];
    const paths = ['0.bias', '0.weight', '2.bias', '2.weight'];
    expect(Object.keys(state).sort()).toEqual(
      paths.flatMap((path) => tensors.map((name) => `${path}.${name}`)),
    );
    expect(state['0.weight.exp_avg']!.shape).toEqual([4, 3]);
    expect(state['0.weight.step']!.data).toEqual([1]);
  });

  it('is restored as one revision, which the log has', async () => {
    await steps('Adam', 1);
    const state = await kept();
    const { body: before } = await server.request('GET', at);
    const { body } = await server.request('PUT', `${at}/optimizer`, state);
    const { revision } = before as { revision: number };
    expect(body).toMatchObject({ revision: revision + 1 });
    const log = await server.request('GET', `${at}/changes?after=${revision}`);
    const { changes } = log.body as { changes: { kind: string; parameters: { field: string }[] }[] };
    expect(changes).toMatchObject([{ kind: 'load' }]);
    expect(new Set(changes[0]!.parameters.map(({ field }) => field))).toEqual(
      new Set(['exp_avg', 'exp_avg_sq', 'step']),
    );
  });

  it('takes the place of another', async () => {
    await steps('Adam', 1);
    const sgd = { optimizer: 'SGD', param_groups: [{ params: ['0.weight'], lr: 0.1 }], state: {} };
    const used = server.engine.registry.get('net').bytes;
    expect((await server.request('PUT', `${at}/optimizer`, sgd)).status).toBe(200);
    expect(await kept()).toMatchObject(sgd);
    expect(server.engine.registry.get('net').bytes).toBeLessThan(used);
  });

  const lbfgs = (wrong: object) => {
    const matrix = [[1, 2], [3, 4]]; // prettier-ignore
    const vectors = { d: [1, 2], prev_flat_grad: [1, 2], old_dirs: matrix, old_stps: matrix };
    const numbers = { n_iter: 1, func_evals: 1, t: 1, H_diag: 1, prev_loss: 1, ro: [1], order: [0] };
    const state = Object.entries({ ...vectors, ...numbers }).map(([name, value]) => [
      `2.bias.${name}`,
      value,
    ]);
    return {
      optimizer: 'LBFGS',
      param_groups: [{ params: ['2.bias'], history_size: 2 }],
      state: { ...Object.fromEntries(state), ...wrong },
    };
  };
  const adam = { optimizer: 'Adam', param_groups: [{ params: ['2.bias'] }], state: {} };
  it.each([
    [{ ...adam, optimizer: 'Adm' }, 'optimizer', 'did you mean Adam?'],
    [{ ...adam, optimizer: 'LBFGS', param_groups: [{ params: ['2.bias'] }, { params: ['0.bias'] }] }, 'param_groups', "LBFGS doesn't support"],
    [{ optimizer: 'LBFGS', param_groups: [{ params: ['2.bias'], history_size: 2 }], state: { '2.bias.d': [1, 2] } }, 'state', 'missing key'],
    [lbfgs({ '2.bias.old_dirs': [[1, 2]] }), 'state["2.bias.old_dirs"]', 'must have shape [2, 2], got [1, 2]'],
    [lbfgs({ '2.bias.order': [0, 2] }), 'state["2.bias.order"]', 'must name as many rows of the history (2)'],
    [lbfgs({ '2.bias.t': [1] }), 'state["2.bias.t"]', 'must be one number'],
    [{ ...adam, param_groups: [{ params: ['2.bais'] }] }, 'param_groups[0].params[0]', 'there is no parameter at'],
    [{ ...adam, param_groups: [{ params: ['2.bias'] }, { params: ['2.bias'] }] }, 'param_groups[1].params[0]', 'more than one parameter group'],
    [{ ...adam, param_groups: [{ params: ['2.bias'], betas: 1 }] }, 'param_groups[0].betas', ''],
    [{ ...adam, state: { '2.bias.exp_avg': [1, 2] } }, 'state', 'missing key'],
    [{ ...adam, state: { '2.bias.exp_av': [1, 2] } }, 'state["2.bias.exp_av"]', 'unexpected key; did you mean 2.bias.exp_avg?'],
    [{ ...adam, state: { '0.bias.exp_avg': [1, 2] } }, 'state["0.bias.exp_avg"]', 'unexpected key'],
    [{ ...adam, state: { '2.bias.exp_avg': [1], '2.bias.exp_avg_sq': [1, 2], '2.bias.step': 1 } }, 'state["2.bias.exp_avg"]', 'must have shape [2], got [1]'],
    [{ ...adam, state: { '2.bias.exp_avg': ['a', 1], '2.bias.exp_avg_sq': [1, 2], '2.bias.step': 1 } }, 'state["2.bias.exp_avg"][0]', ''],
  ])('%#: is refused where it does not fit, and nothing changes', async (body, path, message) => {
    await steps('SGD', 1);
    const before = [await kept(), (await server.request('GET', at)).body];
    const answer = await server.request('PUT', `${at}/optimizer`, body);
    expect(answer.status, answer.text).toBe(422);
    const { errors } = answer.body as { errors: { path: string; message: string }[] };
    expect(errors.map((fault) => fault.path)).toContain(path);
    expect(errors.find((fault) => fault.path === path)!.message).toContain(message);
    expect([await kept(), (await server.request('GET', at)).body]).toEqual(before);
  }); // prettier-ignore
});

describe('a model that does not know its shapes', () => {
  const LAZY = 'nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(2))';
  it('learns them of the first training, and is that of known shapes from then on', async () => {
    await steps('SGD', 2);
    const expected = await weights();
    await build(LAZY);
    await steps('SGD', 2);
    expect(await weights()).toEqual(expected);
  });

  it('and of the first backward, and the first forward in train mode', async () => {
    await build(LAZY);
    const backward = await server.request('POST', `${at}/backward`, { inputs, targets, loss: 'mse' });
    expect(backward.status, backward.text).toBe(200);
    await build('nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())');
    const forward = await server.request('POST', `${at}/forward`, { inputs, mode: 'train' });
    expect(forward.status, forward.text).toBe(200);
    expect((await weights())['1.num_batches_tracked']!.data).toEqual([1]);
  });
});

describe('meanwhile', () => {
  const endless = {
    ...data,
    optimizer: { name: 'SGD', lr: 0.01 },
    epochs: 1_000_000,
    commit_every: 1_000_000,
  };

  it('forwards are answered, as many as are asked, by the revision from before; a change waits for the commit', async () => {
    const { body: began } = await server.request('GET', at);
    const { revision } = began as { revision: number };
    const { body } = await server.request('POST', `${at}/train`, endless);
    const { id } = body as { id: string };
    const job = async () => (await server.request('GET', `/v1/jobs/${id}`)).body as { step: number };
    let patched = false;
    const patch = server
      .request('PATCH', `${at}/parameters/2.bias`, { ops: [{ op: 'set', value: 7 }] })
      .then((answer) => {
        patched = true;
        return answer;
      });
    const before = await job();
    for (let i = 0; i < 200; i++) {
      const answer = await server.request('POST', `${at}/forward`, { inputs: [[1, 2, 3]] });
      expect(answer.body).toMatchObject({ revision });
    }
    // The job went on, and nobody waited for it: its only commit is yet to come.
    expect((await job()).step).toBeGreaterThan(before.step);
    expect(patched).toBe(false);
    expect(server.engine.registry.get('net').revision).toBe(revision);
    const { body: over } = await server.request('DELETE', `/v1/jobs/${id}`);
    expect(over).toMatchObject({ status: 'cancelled', committed_revision: null });
    expect((await patch).body).toMatchObject({ revision: revision + 1 });
  });

  it('a second job is refused, by the id of the first', async () => {
    const { body } = await server.request('POST', `${at}/train`, endless);
    const { id } = body as { id: string };
    const second = await server.request('POST', `${at}/train`, endless);
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({ code: 'JOB_RUNNING', detail: expect.stringContaining(id) as string });
    await server.request('DELETE', `/v1/jobs/${id}`);
  });
});
