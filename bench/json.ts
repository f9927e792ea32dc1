// What a tensor costs as text: 262,144 random float32 written and read, by WebAssembly on one thread and on two workers,
// next to JSON.stringify and JSON.parse of the same numbers as a list. Milliseconds, the median of rounds taken in turns;
// and what of it the main thread pays where workers do it.

import { bindKernels, kernelModule } from '../src/runtime/kernel-module.js';
import { SharedMemory } from '../src/runtime/memory.js';
import { Pool } from '../src/runtime/pool.js';
import * as text from '../src/runtime/text.js';
import { answerPieces, decodeTensor, stringifyAnswer } from '../src/tensor/json.js';
import { TensorValue } from '../src/tensor/tensor-value.js';
import { median, report } from './measure.js';

const SHAPE = [512, 512];
const COUNT = 262_144;
const ROUNDS = 31;

const shared = new SharedMemory({ limitBytes: 2 ** 28 });
const pool = new Pool({ workers: 2, memory: shared, timeoutMs: 60_000 });
await pool.ready();

const values = shared.allocate(COUNT * 4);
const { segment } = values;
const memory = shared.memories[segment]!;
const kernels = bindKernels(kernelModule(), memory);
const tensor = { address: values.address, shape: SHAPE, dtype: 'float32' as const };
const data = shared.tensor(values, SHAPE, 'float32').data as Float32Array;
for (let i = 0; i < COUNT; i++) data[i] = Math.random() * 2 - 1;

const room = text.textRoom(tensor, 'flat');
const outs = [shared.allocate(room, segment).address, shared.allocate(room, segment).address];
const half = (i: number) => ({ from: (i * COUNT) / 2, to: ((i + 1) * COUNT) / 2 });
const order = (i: number) => ({ tensor, layout: 'flat' as const, out: outs[i]!, room });

/** A request as clients write it: with the digits of a double, or those that tell float32. */
function request(numbers: string) {
  const body = Buffer.from(`{"module":"","inputs":{"shape":[512,512],"data":${numbers}}}`);
  const { address } = shared.allocate(body.length + text.TEXT_PADDING, segment);
  Buffer.from(memory.buffer).set(body, address);
  const place = { address, bytes: body.length };
  const bytes = text.readingRoom(text.mostNumbers(kernels, place));
  return {
    json: body.toString(),
    text: place,
    room: { address: shared.allocate(bytes, segment).address, bytes },
  };
}
const long = request(JSON.stringify(Array.from(data)));
const short = request(`[${Array.from(data, (x) => x.toPrecision(6)).join(',')}]`);

interface Body {
  inputs: unknown;
}
const decode = ({ inputs }: Body): void => void decodeTensor(inputs, { path: 'inputs' });

/** What the main thread does with what a worker has read. */
function take(reading: text.Reading, { text: { address } }: typeof long): void {
  if ('wrong' in reading) throw new Error(reading.wrong);
  decode(text.restoreBody(JSON.parse(reading.skeleton), reading, { memory, address }) as Body);
}

const answer = { outputs: new TensorValue('float32', SHAPE, data) };
const small = { name: 'net', revision: 1, outputs: new TensorValue('float32', [2, 1], data.slice(0, 2)) };
const plain = {
  name: 'net',
  revision: 1,
  outputs: { dtype: 'float32', shape: [2, 1], data: Array.from(data.slice(0, 2)) },
};

const thousandTimes = (work: () => unknown) => (): void => {
  for (let i = 0; i < 1000; i++) work();
};

const candidates = {
  'write: JSON.stringify(Array.from(x))': () => JSON.stringify(Array.from(data)),
  'write: as TypeScript': () => stringifyAnswer(answer),
  'write: WebAssembly, one thread': () => text.writeText(memory, kernels, order(0)),
  'write: two workers, messages and all': () =>
    Promise.all([0, 1].map((i) => pool.call('writeText', { segment, ...order(i), part: half(i) }))),
  'write: the main thread for it': () => [
    answerPieces(answer, { least: 1024 }),
    text.textRoom(tensor, 'flat'),
  ],
  'read, 20 digits: JSON.parse and decoding': () => decode(JSON.parse(long.json) as Body),
  'read, 20 digits: WebAssembly, one thread': () => take(text.readBody(memory, kernels, long), long),
  'read, 6 digits: JSON.parse and decoding': () => decode(JSON.parse(short.json) as Body),
  'read, 6 digits: WebAssembly, one thread': () => take(text.readBody(memory, kernels, short), short),
  'read: a worker, messages and all': async () =>
    take(await pool.call('readBody', { segment, ...long }), long),
  'read: the main thread for it': (() => {
    const reading = text.readBody(memory, kernels, long);
    return () => {
      text.mostNumbers(kernels, long.text);
      take(reading, long);
    };
  })(),
  'a 2x1 answer, µs': thousandTimes(() => stringifyAnswer(small)),
  'JSON.stringify of the same as a list, µs': thousandTimes(() => JSON.stringify(plain)),
} satisfies Record<string, () => unknown>;

const names = Object.keys(candidates) as (keyof typeof candidates)[];
const times = new Map(names.map((name) => [name, [] as number[]]));
for (let round = 0; round < ROUNDS; round++) {
  for (const name of names) {
    const begun = performance.now();
    await candidates[name]();
    times.get(name)!.push(performance.now() - begun);
  }
}
await pool.close();

const of = (name: keyof typeof candidates): number => median(times.get(name)!);
const [stringify, parse, parseShort] = [names[0]!, names[5]!, names[7]!].map(of) as [number, number, number];
report('json', {
  ...Object.fromEntries(names.map((name) => [name.endsWith('µs') ? name : `${name}, ms`, of(name)])),
  'write: JSON.stringify / one thread': stringify / of('write: WebAssembly, one thread'),
  'write: JSON.stringify / two workers': stringify / of('write: two workers, messages and all'),
  'read, 20 digits: JSON.parse / one thread': parse / of('read, 20 digits: WebAssembly, one thread'),
  'read, 6 digits: JSON.parse / one thread': parseShort / of('read, 6 digits: WebAssembly, one thread'),
});
