// What a tensor costs in a body: 262,144 random float32 written and read, next to JSON.stringify of the same numbers
// as a list (whose text is longer, having a double's digits). Milliseconds, the median of 21 rounds taken in turns.

import { decodeTensor, stringifyAnswer } from '../src/tensor/json.js';
import { TensorValue } from '../src/tensor/tensor-value.js';
import { median, report } from './measure.js';

const COUNT = 262_144;
const ROUNDS = 21;

const data = Float32Array.from({ length: COUNT }, () => Math.random() * 2 - 1);
const body = { outputs: new TensorValue('float32', [512, 512], data) };
const small = { name: 'net', revision: 1, outputs: new TensorValue('float32', [2, 1], data.slice(0, 2)) };
const plain = {
  name: 'net',
  revision: 1,
  outputs: { dtype: 'float32', shape: [2, 1], data: Array.from(data.slice(0, 2)) },
};
const flat = JSON.parse(stringifyAnswer(body)) as typeof body;
const nested = JSON.parse(stringifyAnswer(body, { layout: 'nested' })) as typeof body;

const thousandTimes = (work: () => unknown) => (): void => {
  for (let i = 0; i < 1000; i++) work();
};

const candidates: Record<string, () => unknown> = {
  'encode 262,144 float32, ms': () => stringifyAnswer(body),
  'JSON.stringify(Array.from(x)), ms': () => JSON.stringify(Array.from(data)),
  'decode 262,144 numbers, flat, ms (without JSON.parse)': () => decodeTensor(flat.outputs, { path: 'x' }),
  'decode 262,144 numbers, nested, ms': () => decodeTensor(nested.outputs.data, { path: 'x' }),
  'encode an answer with a 2x1 tensor, µs': thousandTimes(() => stringifyAnswer(small)),
  'JSON.stringify of the same as a list, µs': thousandTimes(() => JSON.stringify(plain)),
};

const times = new Map(Object.keys(candidates).map((name) => [name, [] as number[]]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, work] of Object.entries(candidates)) {
    const begun = performance.now();
    work();
    times.get(name)!.push(performance.now() - begun);
  }
}
report('json', Object.fromEntries([...times].map(([name, values]) => [name, median(values)])));
