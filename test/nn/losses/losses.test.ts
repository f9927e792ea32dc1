import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { differentiate } from '#src/graph/gradient.js';
import { parseLoss, traceLoss, type Loss } from '#src/nn/losses/spec.js';
import { LOSSES } from '#src/nn/losses/table.js';
import { excess } from '../../kernels/instance.js';
import { evaluate, type Tensor } from '../space.js';

interface Numbers extends Omit<Tensor, 'data'> {
  readonly data: readonly (number | string)[];
}
interface Case {
  readonly loss: { readonly name: string };
  readonly note?: string;
  readonly output: Numbers;
  readonly targets: Readonly<Record<string, Numbers>>;
  readonly value: Numbers;
  readonly grad: Numbers;
}

const url = new URL('../../fixtures/losses.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: Case[] };
const plain = (tensor: Numbers): Tensor => ({ ...tensor, data: tensor.data.map(Number) });

function read(given: Readonly<Record<string, unknown>>): Loss {
  const checked = parseLoss(given, 'loss');
  if ('faults' in checked) throw new Error(JSON.stringify(checked.faults));
  return checked.value;
}

/** The value, and the gradient of its sum with respect to the output. */
function run(given: Readonly<Record<string, unknown>>, output: Tensor, targets: readonly Tensor[]) {
  const loss = read(given);
  return evaluate([output, ...targets], (tracer, [x, ...others]) => {
    const value = traceLoss(tracer, loss, { output: x!, targets: others });
    const seed = { value, gradient: tracer.apply('fill', [], { shape: value.shape, value: 1 }) };
    return [value, differentiate(tracer, [seed], [x!])[0]!];
  });
}

describe('losses', () => {
  const label = ({ loss, note, output }: Case, i: number): string =>
    `${i}: ${JSON.stringify(loss).slice(0, 120)} of [${output.shape.join(', ')}] ${note ?? ''}`;
  it.each(cases.map((entry, i) => [label(entry, i), entry] as const))('%s', (_label, entry) => {
    const { loss, output, targets, value, grad } = entry;
    const names = LOSSES[loss.name as keyof typeof LOSSES].targets;
    const [found, gradient] = run(
      loss,
      plain(output),
      names.map((name) => plain(targets[name]!)),
    );
    expect(found!.shape).toEqual(value.shape);
    near(found!.data, value, 'value');
    near(gradient!.data, grad, 'gradient');
  });

  it('are all among these', () => {
    expect(new Set(cases.map(({ loss }) => loss.name))).toEqual(new Set(Object.keys(LOSSES)));
  });
});

function near(actual: Float32Array, expected: Numbers, what: string): void {
  const { data } = plain(expected);
  const largest = data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1);
  expect(excess(actual, data, 1e-5, 1e-6 * largest), what).toBeLessThanOrEqual(1);
}

const of = (shape: number[], data: number[], dtype: Tensor['dtype'] = 'float32'): Tensor => ({
  shape,
  dtype,
  data,
});

describe('a loss by another name', () => {
  it.each([
    ['mse', 'mse_loss'],
    ['MSELoss', 'mse_loss'],
    ['nn.MSELoss', 'mse_loss'],
    ['torch.nn.functional.mse_loss', 'mse_loss'],
    ['F.mse_loss', 'mse_loss'],
    ['bce', 'binary_cross_entropy'],
    ['bce_with_logits', 'binary_cross_entropy_with_logits'],
    ['BCEWithLogitsLoss', 'binary_cross_entropy_with_logits'],
    ['CrossEntropyLoss', 'cross_entropy'],
    ['nll', 'nll_loss'],
    ['KLDivLoss', 'kl_div'],
    ['gaussian_nll', 'gaussian_nll_loss'],
    ['hinge_embedding', 'hinge_embedding_loss'],
  ])('%s is %s', (name, known) => expect(read({ name }).name).toBe(known));
});

describe('a loss that cannot be is refused', () => {
  it.each([
    [{ name: 'mse_los' }, 'loss.name', 'did you mean mse_loss?'],
    [{ name: 7 }, 'loss.name', 'must be one of mse_loss'],
    [{ name: '__proto__' }, 'loss.name', 'must be one of'],
    [{ name: 'mse', reducton: 'sum' }, 'loss.reducton', 'unknown option of mse_loss; did you mean reduction?'],
    [{ name: 'mse', reduction: 'max' }, 'loss.reduction', "must be 'mean'"],
    [{ name: 'huber', delta: 'a' }, 'loss.delta', 'must be a number'],
    [{ name: 'cross_entropy', label_smoothing: 1.5 }, 'loss', 'label_smoothing must be between 0.0 and 1.0. Got: 1.5'],
    [{ name: 'cross_entropy', weight: 'heavy' }, 'loss.weight', ''],
    [{ name: 'cross_entropy', weight: [[1], [1, 2]] }, 'loss.weight[1]', ''],
    [{ name: 'cross_entropy', weight: Array(65_537).fill(1) }, 'loss.weight', 'at most 65536'],
    [{ name: 'mse', pos_weight: [1] }, 'loss.pos_weight', 'unknown option'],
  ])('%#: at its place', (given, path, message) => {
    const checked = parseLoss(given, 'loss');
    expect('faults' in checked && checked.faults).toMatchObject([{ path }]);
    expect('faults' in checked && checked.faults[0]!.message).toContain(message);
  }); // prettier-ignore

  it.each([
    ['mse', [of([2, 1], [1, 2]), of([2], [1, 2])], 'Using a target size ([2]) that is different to the input size ([2, 1])'],
    ['cross_entropy', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([3], [0, 1, 2], 'int64')], 'of shape [2], but got [3]'],
    ['cross_entropy', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([2], [0, 1])], 'expected scalar type Long but found Float'],
    ['cross_entropy', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([3], [0, 1, 1])], 'expected classes of shape [2] or probabilities of shape [2, 3]'],
    ['cross_entropy', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([2], [0, 3], 'int64')], 'target number 1 is out of bounds (0 to 2)'],
    ['nll', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([2], [-1, 0], 'int64')], 'target number 0 is out of bounds (0 to 2)'],
    ['nll', [of([2, 3], [1, 2, 3, 4, 5, 6]), of([2], [0, 1])], 'expected scalar type Long but found Float'],
    ['bce', [of([2], [0.5, 1.5]), of([2], [0, 1])], 'output number 1 is not between 0 and 1'],
    ['bce', [of([5], [0.5, 0.5, 0.5, 0.5, -0.1]), of([5], [0, 1, 0, 1, 0])], 'output number 4 is not between 0 and 1'],
    ['gaussian_nll', [of([2, 2], [1, 2, 3, 4]), of([2, 2], [1, 2, 3, 4]), of([3], [1, 2, 3])], 'var is of incorrect size'],
    ['cosine_embedding', [of([2, 2], [1, 2, 3, 4]), of([2, 2], [1, 2, 3, 4]), of([3], [1, 1, 1])], 'expected targets of shape [2]'],
  ])('%s of tensors that do not fit (%#)', (name, [output, ...targets], message) => {
    expect(() => run({ name }, output!, targets)).toThrow(message);
  }); // prettier-ignore

  it('weights that are not those of the classes, too', () => {
    const output = of([1, 3], [1, 2, 3]);
    const weight = [1, 2];
    expect(() => run({ name: 'cross_entropy', weight }, output, [of([1], [0], 'int64')])).toThrow(
      'weight tensor should be defined either for all 3 classes or no classes',
    );
  });
});
