import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureSchema, interventionsSchema } from '#src/models/inside-schema.js';
import type { Model } from '#src/models/model.js';
import { release } from '#src/models/forward-answer.js';
import type { Outputs } from '#src/models/forwards.js';
import { TensorValue } from '#src/tensor/tensor-value.js';
import { excess } from '../kernels/instance.js';
import { startEngine, type Engine } from './engine.js';

interface Tensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly data: number[];
}

type Named = Record<string, Tensor>;

interface Case {
  readonly note: string;
  readonly architecture: string;
  readonly mode: 'eval' | 'train';
  readonly seed: number;
  readonly state: Named;
  readonly state_after: Named;
  readonly inputs: Tensor;
  readonly output_grad: Tensor;
  readonly capture: string[];
  readonly interventions: object;
  readonly outputs: Tensor;
  readonly captured: Named;
  readonly captured_grads: Named;
  readonly grads: Named;
  readonly input_grad: Tensor;
}

const file = new URL('../fixtures/inside/inside.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ workers: 2 });
});
afterAll(() => engine.stop());

let built = 0;
async function build(architecture: unknown, seed = 0): Promise<Model> {
  const name = `net${built++}`;
  await engine.registry.build({ name, seed, architecture });
  return engine.registry.get(name);
}

/** As the routes read it. */
function inside({ capture, interventions }: { capture?: unknown; interventions?: unknown }) {
  return {
    capture: capture === undefined ? undefined : captureSchema.parse(capture),
    interventions: interventions === undefined ? undefined : interventionsSchema.parse(interventions),
  };
}

interface Asked {
  readonly inputs: unknown;
  readonly module?: string;
  readonly capture?: unknown;
  readonly interventions?: unknown;
}

function forward(model: Model, { inputs, module = '', ...rest }: Asked): Promise<Outputs> {
  return model.forward({ inputs, module, inside: inside(rest) });
}

const numbers = (tensor: unknown): number[] => {
  if (!(tensor instanceof TensorValue)) throw new Error('no tensor');
  return [...tensor.data].map(Number);
};
const bits = (tensor: unknown): number[] => [...new Uint32Array(Float32Array.from(numbers(tensor)).buffer)];

const MLP = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Tanh(), nn.Linear(3, 2))';
const X = [
  [1, 2, 3, 4],
  [0, -1, 0, 1],
];

describe('what PyTorch computes with hooks and functional_call', () => {
  it.each(cases)('$note', async (given) => {
    const { architecture, mode, inputs, output_grad, state } = given;
    const model = await build(architecture);
    const zeros = { types: ['Linear', 'Conv2d'], init: { name: 'zeros' } } as const;
    await model.init({ module: '', rules: [zeros], seed: given.seed });
    await model.loadStateDict({ module: '', strict: true, state });
    const answer = await model.backward({
      ...{ module: '', mode, inputs, output_grad, input_grad: true, captureGrad: true },
      ...inside({ capture: [...given.capture, ''], interventions: given.interventions }),
    });
    /** Where PyTorch has a gradient of zeros of what was overwritten, here there is none. */
    const near = (found: unknown, { shape, data }: Tensor, what: string): void => {
      const { shape: own, data: values } = (found as TensorValue | null) ?? {
        shape,
        data: data.map(() => 0),
      };
      expect(own, what).toEqual(shape);
      expect(excess(Float32Array.from([...values].map(Number)), data), what).toBeLessThanOrEqual(1);
    };
    const captured = answer.captured as Record<string, unknown>;
    const grads = answer.captured_grads as Record<string, unknown>;
    near(captured[''], given.outputs, 'outputs');
    near(answer.input_grad, given.input_grad, 'input_grad');
    for (const path of given.capture) {
      near(captured[path], given.captured[path]!, path);
      near(grads[path], given.captured_grads[path]!, `gradient of ${path}`);
    }
    for (const path of Object.keys(state)) {
      const { grad, value } = await model.parameter(path, {});
      if (given.grads[path]) near(grad, given.grads[path], `gradient of ${path}`);
      else expect(grad).toBeNull();
      near(value, given.state_after[path]!, path);
    }
  });
});

describe('what is captured', () => {
  it('is what the modules before it give when they run alone, to the bit', async () => {
    const model = await build(MLP);
    const { outputs, captured } = await forward(model, { inputs: X, capture: ['*', ''] });
    for (let end = 1; end <= 5; end++) {
      const prefix = await forward(model, { inputs: X, module: `0:${end}` });
      expect(bits(captured![String(end - 1)])).toEqual(bits(prefix.outputs));
    }
    expect(bits(captured![''])).toEqual(bits(outputs));
    expect(bits(outputs)).toEqual(bits((await forward(model, { inputs: X })).outputs));
  });

  it("of a row is the same bits in any batch, and so are the row's outputs", async () => {
    const conv =
      'nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 5))';
    const model = await build(conv);
    const image = (i: number) => [
      Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => Math.sin(i * 64 + y * 8 + x))),
    ];
    const images = Array.from({ length: 17 }, (_, i) => image(i));
    const ask = {
      capture: ['*'],
      interventions: { outputs: { 2: { op: 'mul', value: 0.5, index: ':,1' } } },
    };
    const all = await forward(model, { inputs: images, ...ask });
    for (const i of [0, 1, 15, 16]) {
      const alone = await forward(model, { inputs: [images[i]], ...ask });
      for (const [path, value] of Object.entries({ ...alone.captured, out: alone.outputs })) {
        const row = bits(value);
        const batch = bits(path === 'out' ? all.outputs : all.captured![path]);
        expect(batch.slice(i * row.length, (i + 1) * row.length), path).toEqual(row);
      }
    }
  });

  it('is found by path, pattern, negative index and type; of a module that stands twice each path is its own', async () => {
    const model = await build({
      type: 'Sequential',
      shared: { s: { type: 'Linear', in_features: 4, out_features: 4 } },
      children: [
        { name: 'a', type: 'Sequential', children: [{ shared: 's' }, { type: 'ReLU' }] },
        { name: 'b', type: 'Sequential', children: [{ shared: 's' }, { type: 'ReLU' }] },
      ],
    });
    const paths = async (...capture: unknown[]) =>
      Object.keys((await forward(model, { inputs: X, capture })).captured!);
    expect(await paths('a.0')).toEqual(['a.0']);
    expect(await paths('*.0')).toEqual(['a.0', 'b.0']);
    expect(await paths('-1.-1')).toEqual(['b.1']);
    expect(await paths({ type: 'nn.ReLU' })).toEqual(['a.1', 'b.1']);
    expect(await paths({ type: 'ReLU', path: 'b.**' })).toEqual(['b.1']);
    expect(await paths('*')).toEqual(['a', 'b']);
    expect(await paths('**')).toEqual(['a.0', 'a.1', 'a', 'b.0', 'b.1', 'b', '']);
    const { captured } = await forward(model, { inputs: X, capture: ['*.0'] });
    expect(bits(captured!['a.0'])).not.toEqual(bits(captured!['b.0']));
  });

  it('is named relative to the module that runs', async () => {
    const model = await build({
      type: 'Sequential',
      children: [
        { name: 'f', type: 'Sequential', children: [{ type: 'Linear', in_features: 4, out_features: 2 }] },
      ],
    });
    const { captured } = await forward(model, { inputs: X, module: 'f', capture: ['0', ''] });
    expect(Object.keys(captured!)).toEqual(['0', '']);
  });

  it('is sliced as Python slices, on any index', async () => {
    const model = await build('nn.Sequential(nn.Unflatten(1, (2, 3, 4)), nn.Flatten())');
    const inputs = Array.from({ length: 3 }, (_, i) => Array.from({ length: 24 }, (_, j) => i * 24 + j));
    const bound = fc.option(fc.integer({ min: -5, max: 5 }), { nil: undefined });
    const item = fc.oneof(
      fc.integer({ min: -2, max: 1 }).map(String),
      fc
        .tuple(bound, bound, fc.integer({ min: 1, max: 3 }))
        .map(([a, b, step]) => `${a ?? ''}:${b ?? ''}:${step}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 4 }), async (items) => {
        const index = items.join(',');
        const { captured } = await forward(model, { inputs, capture: [{ path: '0', index }] });
        expect(numbers(captured!['0'])).toEqual(sliced(inputs, [3, 2, 3, 4], items));
      }),
      { numRuns: 60 },
    );
  });

  it('is told as statistics of what it is', async () => {
    const model = await build(MLP);
    const { captured } = await forward(model, {
      inputs: X,
      capture: [
        { path: '0', index: ':,::2', stats: true },
        { path: '*', stats: true, bins: 4 },
      ],
    });
    const whole = (await forward(model, { inputs: X, capture: ['1', { path: '0', index: ':,::2' }] }))
      .captured!;
    const values = numbers(whole['1']);
    expect(captured!['1']).toMatchObject({
      shape: [2, 8],
      numel: 16,
      max: expect.closeTo(Math.max(...values), 6) as number,
      min: 0,
      zeros: values.filter((x) => x === 0).length,
    });
    const { histogram } = captured!['1'] as unknown as { histogram: { counts: number[] } };
    expect(histogram.counts.reduce((a, b) => a + b)).toBe(16);
    expect(captured!['0']).toMatchObject({
      shape: [2, 4],
      max: expect.closeTo(Math.max(...numbers(whole['0'])), 6) as number,
    });
    expect(captured!['0']).not.toHaveProperty('histogram');
  });

  it('of a Graph with several outputs is told beside them', async () => {
    const model = await build({
      type: 'Graph',
      inputs: ['x', 'y'],
      nodes: [
        { name: 'f', module: { type: 'Linear', in_features: 4, out_features: 3 }, inputs: ['x'] },
        { name: 's', op: 'add', inputs: ['f', 'y'] },
      ],
      outputs: ['f', 's'],
    });
    const inputs = { x: X, y: [1, 2, 3] };
    const plain = await forward(model, { inputs });
    const { outputs, captured } = await forward(model, { inputs, capture: ['f'] });
    expect(outputs).toEqual(plain.outputs);
    expect(captured!.f).toEqual((plain.outputs as unknown as Record<string, unknown>).f);
  });

  it('of a lazy network is there in its first forward', async () => {
    const model = await build('nn.Sequential(nn.LazyLinear(3), nn.ReLU())');
    const { captured, revision } = await forward(model, { inputs: X, capture: [{ type: 'Linear' }] });
    expect(revision).toBe(2);
    expect((captured!['0'] as TensorValue).shape).toEqual([2, 3]);
  });
});

/** The same on plain lists. */
function sliced(rows: number[][], shape: number[], items: readonly string[]): number[] {
  const all = rows.flat();
  let places: number[] = [0];
  shape.forEach((extent, dim) => {
    const stride = shape.slice(dim + 1).reduce((a, b) => a * b, 1);
    const item = items[dim] ?? '::1';
    const [a, b, step] = item.split(':');
    const range = Array.from({ length: extent }, (_, i) => i);
    const wrap = (text: string): number => (Number(text) < 0 ? Number(text) + extent : Number(text));
    const kept = item.includes(':')
      ? range
          .slice(a === '' ? 0 : Number(a), b === '' ? extent : Number(b))
          .filter((_, i) => i % Number(step) === 0)
      : [wrap(item)];
    places = places.flatMap((place) => kept.map((i) => place + i * stride));
  });
  return places.map((place) => all[place]!);
}

describe('an intervention', () => {
  it('that sets an output, or a part of it, to what it was changes no bit', async () => {
    const model = await build(MLP);
    const inputs = [...X, [Number.MIN_VALUE, -0, 1e30, -1e-30], [NaN, 1, 2, Infinity]].map((row) =>
      row.map((x) => (Number.isFinite(x) ? x : String(x))),
    );
    const asItWas = await forward(model, { inputs, capture: ['**'] });
    const index = fc.constantFrom(undefined, ':', '0', '-1', ':,0', '::2,1:', '1:3,::3', '2:2', '...,-2:');
    const path = fc.constantFrom('0', '1', '2', '3', '4', '');
    await fc.assert(
      fc.asyncProperty(path, index, async (at, chosen) => {
        const part = await forward(model, {
          inputs,
          capture: [{ path: at, ...(chosen && { index: chosen }) }],
        });
        const value = wire(part.captured![at] as TensorValue);
        const edit = { op: 'set', value, ...(chosen && { index: chosen }) };
        const again = await forward(model, {
          ...{ inputs, capture: ['**'] },
          interventions: { outputs: { [at]: edit } },
        });
        expect(bits(again.outputs)).toEqual(bits(asItWas.outputs));
        for (const [name, before] of Object.entries(asItWas.captured!))
          expect(bits(again.captured![name]), name).toEqual(bits(before));
      }),
      { numRuns: 40 },
    );
  });

  it('that sets a parameter to what it is changes no bit, though it has no panels', async () => {
    const model = await build('nn.Sequential(nn.Linear(70, 50), nn.GELU(), nn.Linear(50, 33))');
    const inputs = Array.from({ length: 5 }, (_, i) =>
      Array.from({ length: 70 }, (_, j) => Math.cos(i * 70 + j)),
    );
    const { outputs } = await forward(model, { inputs });
    for (const path of ['0.weight', '0.bias', '2.weight']) {
      const value = wire((await model.parameter(path, {})).value as TensorValue);
      const again = await forward(model, { inputs, interventions: { parameters: { [path]: value } } });
      expect(bits(again.outputs)).toEqual(bits(outputs));
    }
  });

  it('on a parameter gives what a model with that parameter gives, to the bit', async () => {
    const model = await build(MLP);
    const other = await build(MLP);
    await other.patchParameter('0.weight', {
      ops: [
        { op: 'mul', index: '1:3', value: 0.5 },
        { op: 'set', index: ':,0', value: 7 },
      ],
    });
    await other.setParameter('2.bias', { value: [1, 2, 3] });
    const { outputs } = await forward(model, {
      inputs: X,
      interventions: {
        parameters: {
          '0.weight': [
            { op: 'mul', index: '1:3', value: 0.5 },
            { op: 'set', index: ':,0', value: 7 },
          ],
          '-3.bias': [1, 2, 3],
        },
      },
    });
    expect(bits(outputs)).toEqual(bits((await forward(other, { inputs: X })).outputs));
  });

  it('on a tied parameter is one on all of its names', async () => {
    const model = await build('nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))');
    await model.tie(['0.weight', '1.weight']);
    const ask = (parameters: object) => forward(model, { inputs: X, interventions: { parameters } });
    const once = await ask({ '1.weight': { op: 'mul', value: 2 } });
    expect(bits((await ask({ '*.weight': { op: 'mul', value: 2 } })).outputs)).toEqual(bits(once.outputs));
    expect(bits((await ask({ '0.weight': { op: 'mul', value: 2 } })).outputs)).toEqual(bits(once.outputs));
  });

  it('of one path comes after those of patterns, several in their order', async () => {
    const model = await build('nn.Sequential(nn.Identity(), nn.Identity())');
    const { captured } = await forward(model, {
      inputs: [[1, 1]],
      interventions: {
        outputs: {
          1: { op: 'mul', value: 10 },
          '*': [
            { op: 'add', value: 1 },
            { op: 'mul', value: [[2, 3]] },
          ],
        },
      },
      capture: ['*'],
    });
    expect(numbers(captured!['0'])).toEqual([4, 6]);
    expect(numbers(captured!['1'])).toEqual([100, 210]);
  });

  it('with a mask is 0 where the mask is, whatever was there', async () => {
    const model = await build('nn.Sequential(nn.Identity())');
    const { outputs } = await forward(model, {
      inputs: [['NaN', 'Infinity', -3, 4]],
      interventions: { outputs: { 0: { op: 'mask', value: [false, 0, true, 1] } } },
    });
    expect(numbers(outputs)).toEqual([0, 0, -3, 4]);
  });

  it('changes neither the model nor its revision, and no forward beside it sees it', async () => {
    const model = await build(MLP);
    const state = (await model.stateDict({ module: '' })).state_dict as Record<string, TensorValue>;
    const { outputs } = await forward(model, { inputs: X });
    const interventions = {
      parameters: { '**': { op: 'mul', value: 3 } },
      outputs: { 0: { op: 'add', value: 1 } },
    };
    const first = await forward(model, { inputs: X, interventions });
    const asked = Array.from({ length: 60 }, (_, i) =>
      forward(model, i % 3 === 0 ? { inputs: X, interventions } : { inputs: X }),
    );
    for (const [i, answer] of (await Promise.all(asked)).entries())
      expect(bits(answer.outputs)).toEqual(bits(i % 3 === 0 ? first.outputs : outputs));
    expect(bits(first.outputs)).not.toEqual(bits(outputs));
    expect(model.revision).toBe(1);
    const after = (await model.stateDict({ module: '' })).state_dict as Record<string, TensorValue>;
    for (const [path, value] of Object.entries(state)) expect(bits(after[path])).toEqual(bits(value));
  });

  it('waits for changes before it and holds up those after it: one revision', async () => {
    const model = await build(MLP);
    const ask = () => forward(model, { inputs: X, capture: ['4'], interventions: { outputs: { 3: 0 } } });
    const answers = await Promise.all([
      ask(),
      model.setParameter('4.bias', { value: 5 }),
      ask(),
      model.setParameter('4.bias', { value: 6 }),
      ask(),
    ]);
    expect(answers.map(({ revision }) => revision)).toEqual([1, 2, 2, 3, 3]);
    expect(numbers(answers[2].outputs)).toEqual([5, 5, 5, 5]);
    expect(numbers(answers[4].outputs)).toEqual([6, 6, 6, 6]);
  });

  it('that waits behind a change is given up at its deadline, and never run', async () => {
    const model = await build(MLP);
    let goOn!: () => void;
    const held = new Promise<undefined>((resolve) => (goOn = () => resolve(undefined)));
    const change = model.change(() => held);
    const late = model.forward(
      { inputs: X, module: '', inside: inside({ capture: ['0'] }) },
      { timeoutMs: 1 },
    );
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    goOn();
    await change;
    expect((await forward(model, { inputs: X, capture: ['0'] })).revision).toBe(1);
  });
});

/** A tensor as a client sends it. */
function wire({ shape, data }: TensorValue) {
  return { shape: [...shape], data: [...data].map(Number).map((x) => (Number.isFinite(x) ? x : String(x))) };
}

describe('gradients of what is captured', () => {
  it('are those of central differences over interventions that add', async () => {
    const model = await build(
      'nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), nn.Sigmoid(), nn.Linear(3, 2))',
    );
    const output_grad = [
      [1, -2],
      [0.5, 3],
    ];
    const { captured_grads } = await model.backward({
      ...{ module: '', mode: 'eval', inputs: X, output_grad, input_grad: false, captureGrad: true },
      ...inside({ capture: ['*'] }),
    });
    const objective = async (path: string, element: string, by: number): Promise<number> => {
      const { outputs } = await forward(model, {
        inputs: X,
        interventions: { outputs: { [path]: { op: 'add', value: by, index: element } } },
      });
      return numbers(outputs).reduce((sum, y, i) => sum + y * output_grad.flat()[i]!, 0);
    };
    for (const [path, width] of [
      ['0', 6],
      ['1', 6],
      ['2', 3],
      ['3', 3],
      ['4', 2],
    ] as const) {
      const found = numbers((captured_grads as Record<string, unknown>)[path]);
      for (const [i, gradient] of found.entries()) {
        const element = `${Math.floor(i / width)},${i % width}`;
        const difference = (await objective(path, element, 0.01)) - (await objective(path, element, -0.01));
        expect(Math.abs(difference / 0.02 - gradient), `${path}[${element}]`).toBeLessThan(2e-3);
      }
    }
  });

  it('are of the module alone, though it gives the bytes that it was given', async () => {
    const model = await build({
      type: 'Sequential',
      children: [
        {
          type: 'Residual',
          children: [
            { type: 'Sequential', children: [] },
            { type: 'Linear', in_features: 4, out_features: 4 },
          ],
        },
      ],
    });
    const weight = Array.from({ length: 4 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => (i === j ? 2 : 0)),
    );
    await model.setParameter('0.1.weight', { value: weight });
    const { captured_grads, input_grad } = await model.backward({
      ...{ module: '', mode: 'eval', inputs: [[1, 2, 3, 4]], output_grad: [[1, 1, 1, 1]] },
      ...{
        input_grad: true,
        captureGrad: true,
        ...inside({ capture: ['0.0', { path: '0.1', index: '0,:2' }] }),
      },
    });
    expect(numbers(input_grad)).toEqual([3, 3, 3, 3]);
    const grads = captured_grads as Record<string, unknown>;
    expect(numbers(grads['0.0'])).toEqual([2, 2, 2, 2]);
    expect(numbers(grads['0.1'])).toEqual([1, 1]);
  });

  it('are null where the loss does not depend on it, and statistics where these are wanted', async () => {
    const model = await build(MLP);
    const { captured_grads } = await model.backward({
      ...{
        module: '',
        mode: 'eval',
        inputs: X,
        targets: [
          [1, 2],
          [3, 4],
        ],
        loss: { name: 'mse_loss' },
        input_grad: false,
      },
      ...{ captureGrad: true },
      ...inside({
        capture: ['0', { path: '2', stats: true }, { path: '4', stats: true }],
        interventions: { outputs: { 3: 1 } },
      }),
    });
    expect(captured_grads).toMatchObject({ 0: null, 2: null, 4: { shape: [2, 2], numel: 4 } });
  });
});

describe('a request for the inside that is wrong', () => {
  const refusal = async (
    model: Model,
    asked: Omit<Asked, 'inputs'>,
  ): Promise<{ code: string; errors: { path: string; message: string }[] }> => {
    try {
      await forward(model, { inputs: X, ...asked });
    } catch (error) {
      return error as never;
    }
    throw new Error('it was answered');
  };

  it('is told the nearest module, or that the forward does not call it', async () => {
    const model = await build({
      type: 'Sequential',
      children: [
        { name: 'first', type: 'Linear', in_features: 4, out_features: 4 },
        {
          name: 'second',
          type: 'TransformerEncoder',
          num_layers: 1,
          encoder_layer: { type: 'TransformerEncoderLayer', d_model: 4, nhead: 2, dim_feedforward: 4 },
        },
      ],
    });
    const cases: [Omit<Asked, 'inputs'>, string, string, string][] = [
      [
        { capture: ['frist'] },
        'MODULE_NOT_FOUND',
        'capture[0]',
        'the forward calls no module there; did you mean "first"?',
      ],
      [
        { capture: ['first', 'secnd.layers.*'] },
        'MODULE_NOT_FOUND',
        'capture[1]',
        'the forward calls no module there; did you mean "second.layers.0"?',
      ],
      [{ capture: ['second.layers'] }, 'MODULE_NOT_FOUND', 'capture[0]', 'the forward calls no module there'],
      [{ capture: [{ type: 'GELU' }] }, 'MODULE_NOT_FOUND', 'capture[0]', 'the forward calls no GELU there'],
      [
        { capture: [{ type: 'Linar' }] },
        'INVALID_REQUEST',
        'capture[0].type',
        'there is no type "Linar"; did you mean Linear?',
      ],
      [
        { interventions: { outputs: { firs: 1 } } },
        'MODULE_NOT_FOUND',
        'interventions.outputs.firs',
        'the forward calls no module there; did you mean "first"?',
      ],
      [
        { interventions: { parameters: { 'first.wieght': 1 } } },
        'PARAMETER_NOT_FOUND',
        'interventions.parameters["first.wieght"]',
        'no parameter is there; did you mean "first.weight"?',
      ],
      [
        { interventions: { parameters: { '**.wait': 1 } } },
        'PARAMETER_NOT_FOUND',
        'interventions.parameters["**.wait"]',
        'no parameter is there',
      ],
    ];
    for (const [asked, code, path, message] of cases)
      expect(await refusal(model, asked)).toMatchObject({ code, errors: [{ path, message }] });
  });

  it('is told which shapes do not go together', async () => {
    const model = await build(MLP);
    const cases: [Omit<Asked, 'inputs'>, string, string, string][] = [
      [
        { interventions: { outputs: { 0: [1, 2, 3] } } },
        'SHAPE_MISMATCH',
        'interventions.outputs.0',
        'the output of "0" has shape [2, 8], the value [3]: The expanded size of the tensor (8) must match the existing size (3) at non-singleton dimension 1.  Target sizes: [2, 8].  Tensor sizes: [3]',
      ],
      [
        {
          interventions: {
            outputs: {
              0: [
                { op: 'add', value: 1 },
                { op: 'add', value: [1, 2, 3], index: ':,:2' },
              ],
            },
          },
        },
        'SHAPE_MISMATCH',
        'interventions.outputs.0[1].value',
        'the output of "0" has shape [2, 8], of which :,:2 takes [2, 2], the value [3]: The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1',
      ],
      [
        { interventions: { parameters: { '2.bias': { op: 'mul', value: [[1], [2]] } } } },
        'SHAPE_MISMATCH',
        'interventions.parameters["2.bias"].value',
        'parameter "2.bias" has shape [3], the value [2, 1]: output with shape [3] doesn\'t match the broadcast shape [2, 3]',
      ],
      [
        { capture: [{ path: '0', index: ':,8' }] },
        'INDEX_OUT_OF_RANGE',
        'capture[0].index',
        'index 8 is out of bounds for dimension 1 with size 8',
      ],
      [
        { interventions: { outputs: { 0: { op: 'set', value: 1, index: '0,0,0' } } } },
        'INDEX_OUT_OF_RANGE',
        'interventions.outputs.0.index',
        'too many indices for tensor of dimension 2',
      ],
      [
        { capture: [{ path: '0', index: 'a' }] },
        'INDEX_INVALID',
        'capture[0].index',
        '"a" has no meaning in an index, at character 1',
      ],
    ];
    for (const [asked, code, path, message] of cases)
      expect(await refusal(model, asked)).toMatchObject({ code, errors: [{ path, message }] });
  });

  it('is told everything at once, and leaves nothing behind', async () => {
    const model = await build(MLP);
    await forward(model, { inputs: X });
    const bytes = engine.memory.bytesInUse;
    const { code, errors } = await refusal(model, {
      capture: ['x', { path: '0', index: '9' }],
      interventions: { outputs: { 0: [1, 2], y: 1 }, parameters: { z: 1, '0.bias': [1, 2] } },
    });
    expect(code).toBe('INVALID_REQUEST');
    expect(errors.map(({ path }) => path).sort()).toEqual([
      'capture[0]',
      'capture[1].index',
      'interventions.outputs.0',
      'interventions.outputs.y',
      'interventions.parameters.z',
      'interventions.parameters["0.bias"]',
    ]);
    const two = await refusal(model, { capture: ['x', 'y'] });
    expect(two.code).toBe('MODULE_NOT_FOUND');
    expect(two.errors).toHaveLength(2);
    await expect(refusal(model, { interventions: { outputs: { 0: [['a']] } } })).resolves.toMatchObject({
      code: 'TENSOR_INVALID',
    });
    expect(engine.memory.bytesInUse).toBe(bytes);
    expect(model.revision).toBe(1);
  });

  it('is no intervention on what is not float32', async () => {
    const model = await build('nn.Sequential(nn.Identity(), nn.Embedding(4, 2))');
    const tokens = { dtype: 'int64', shape: [2], data: [1, 2] };
    const asked = { inputs: tokens, interventions: { outputs: { 0: 1 } } };
    await expect(forward(model, asked)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      errors: [
        {
          path: 'interventions.outputs.0',
          message: 'the output of "0" is int64: only float32 can be another',
        },
      ],
    });
    const { captured } = await forward(model, { inputs: tokens, capture: ['0'] });
    expect(captured!['0']).toMatchObject({ dtype: 'int64', shape: [2] });
  });
});

describe('memory', () => {
  it('is free again when an answer is, and a forward that needs too much is refused', async () => {
    const small = await startEngine({ workers: 1, limitBytes: 8 * 2 ** 20 });
    try {
      await small.registry.build({
        name: 'wide',
        seed: 0,
        architecture: 'nn.Sequential(nn.Linear(1, 1000), nn.ReLU(), nn.Tanh(), nn.Sigmoid())',
      });
      const model = small.registry.get('wide');
      const inputs = Array.from({ length: 600 }, () => [1]);
      // One activation of 2.4 MB at a time fits, four of them do not.
      release(await forward(model, { inputs }));
      const bytes = small.memory.bytesInUse;
      await expect(forward(model, { inputs, capture: ['*'] })).rejects.toMatchObject({
        code: 'QUOTA_EXCEEDED',
      });
      expect(small.memory.bytesInUse).toBe(bytes);
      const answer = await forward(model, { inputs, capture: [{ path: '*', index: '0:10' }] });
      expect(Object.values(answer.captured!).map((value) => (value as TensorValue).shape)).toEqual(
        Array(4).fill([10, 1000]),
      );
      expect(small.memory.bytesInUse).toBeGreaterThan(bytes);
      release(answer);
      expect(small.memory.bytesInUse).toBe(bytes);
    } finally {
      await small.stop();
    }
  });

  it('is waited for where others have it', async () => {
    const small = await startEngine({ workers: 2, limitBytes: 8 * 2 ** 20 });
    try {
      const architecture = 'nn.Sequential(nn.Linear(1, 1000), nn.ReLU(), nn.Linear(1000, 1))';
      await small.registry.build({ name: 'wide', seed: 0, architecture });
      const model = small.registry.get('wide');
      // 2.4 MB each, and the answer next to nothing: three at a time, of the four that have a turn.
      const inputs = Array.from({ length: 600 }, () => [1]);
      const capture = [{ path: '*', index: '0:1,:2' }];
      const interventions = { outputs: { 0: { op: 'add', value: 1 } } };
      const asked = Array.from({ length: 8 }, () => forward(model, { inputs, capture, interventions }));
      expect(await Promise.all(asked)).toHaveLength(8);
    } finally {
      await small.stop();
    }
  });

  it('of passes that are given up is given back, with the model', async () => {
    const before = engine.memory.bytesInUse;
    const model = await build(MLP);
    // More kinds of requests than passes are kept, many at a time.
    const asked = Array.from({ length: 40 }, (_, i) =>
      forward(model, {
        inputs: X,
        capture: [{ path: '0', index: `:,${i % 8}:` }],
        interventions: {
          outputs: { 1: Array<{ op: string; value: number }>(1 + (i % 5)).fill({ op: 'add', value: i }) },
        },
      }),
    );
    await Promise.all(asked);
    await engine.registry.delete(model.name);
    expect(engine.memory.bytesInUse).toBe(before);
  });
});
