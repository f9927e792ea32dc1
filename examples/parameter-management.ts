// Walks through the parameter-management chapter of PyTorch's courses over HTTP, cell by cell, and watches each model's
// stream meanwhile. Every value it compares with was printed by PyTorch 2.13 for the same seed.
//
//   node dist/examples/parameter-management.js [http://127.0.0.1:8080]
//
// Exits with 1 when something is not as in the chapter. Its models are deleted at the end.

import WebSocket from 'ws';

const base = new URL(process.argv[2] ?? 'http://127.0.0.1:8080');
const run = Date.now().toString(36);
const [mlp, rgnet, tied] = [`chapter-mlp-${run}`, `chapter-rgnet-${run}`, `chapter-tied-${run}`];
const X = [
  [0.25, 0.5, 0.75, 1],
  [1, 0.75, 0.5, 0.25],
];
const CHANGE_TIMEOUT_MS = 5000;

interface Tensor {
  dtype: string;
  shape: number[];
  data: number[];
}

interface Parameter {
  path: string;
  aliases: string[];
  shape: number[];
  value: Tensor;
  grad: Tensor | null;
}

/** What this walk reads of any answer about a model. */
interface Answer {
  revision: number;
  epoch: string;
  repr: string;
  outputs: Tensor;
  state_dict: Record<string, Tensor>;
  parameters: Parameter[];
  value: Tensor;
  grad: Tensor | null;
}

interface Change {
  revision: number;
  kind: string;
  parameters: { path: string; aliases: string[]; index: string | null; value: Tensor }[];
}

// ---------------------------------------------------------------- speaking and checking

let failures = 0;

function check(what: string, holds: boolean): void {
  if (!holds) failures++;
  console.log(`  ${holds ? '✓' : '✗'} ${what}`);
}

function cell(title: string): void {
  console.log(`\n# ${title}`);
}

/** The same in every answer, or not what the chapter looks at. */
const UNSHOWN = /"(?:name|epoch|kind|dtype|requires_grad|numel|is_leaf|status)":(?:"[^"]*"|\w+),/g;

/** One line of an answer. Cut as text: parsed and printed again, -0 would be 0. */
function short(text: string): string {
  const line = text.trimEnd().replaceAll('\n', ' ⏎ ').replace(UNSHOWN, '');
  return line.length <= 320 ? line : `${line.slice(0, 320)} … (${line.length} characters)`;
}

async function send(method: string, path: string, body?: unknown): Promise<string> {
  console.log(`→ ${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`);
  const response = await fetch(new URL(path, base), {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await response.text();
  console.log(`← ${response.status} ${short(text)}`);
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
  return text;
}

async function request(method: string, path: string, body?: unknown): Promise<Answer> {
  return JSON.parse(await send(method, path, body)) as Answer;
}

const model = (name: string): string => `/v1/models/${name}`;
const parameter = (name: string, path: string): string =>
  `${model(name)}/parameters/${encodeURIComponent(path)}`;

function close(actual: readonly number[], expected: readonly number[]): boolean {
  const within = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 + 1e-5 * Math.abs(b);
  return actual.length === expected.length && actual.every((a, i) => within(a, expected[i] ?? NaN));
}

function equal(actual: readonly unknown[], expected: readonly unknown[]): boolean {
  return actual.length === expected.length && actual.every((a, i) => Object.is(a, expected[i]));
}

/** The same float32 values, the sign of zero included. */
function sameBits(actual: readonly number[], expected: readonly number[]): boolean {
  return equal(actual.map(Math.fround), expected.map(Math.fround));
}

// ---------------------------------------------------------------- watching

interface Watch {
  /** The change of a revision, once it has been streamed. */
  change(revision: number): Promise<Change>;
  close(): void;
}

const watches: Watch[] = [];

/** Subscribes to a model's changes after the revision it was built with. */
async function watch(name: string, { revision, epoch }: Answer): Promise<Watch> {
  const url = new URL(`${model(name)}/stream`, base);
  url.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  const changes: Change[] = [];
  let wake = (): void => undefined;
  let failed: Error | undefined;
  const fail = (error: Error): void => {
    failed ??= error;
    wake();
  };
  socket.on('error', fail);
  socket.on('close', (code) => fail(new Error(`the stream of ${name} was closed with ${code}`)));
  const subscribed = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string } & Change;
      if (message.type === 'subscribed') resolve();
      if (message.type === 'error') {
        reject(new Error(`the subscription to ${name} was refused: ${data.toString()}`));
      }
      if (message.type !== 'change') return;
      const paths = message.parameters.map(({ path, aliases, index }) => {
        return [path, ...aliases].join(' = ') + (index === null ? '' : `[${index}]`);
      });
      console.log(`  ≈ ${name} revision ${message.revision}: ${message.kind} of ${paths.join(', ')}`);
      changes.push(message);
      wake();
    });
  });
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'subscribe', id: name, detail: 'values', after: revision, epoch }));
  });
  await subscribed;

  const watched: Watch = {
    async change(wanted) {
      const deadline = Date.now() + CHANGE_TIMEOUT_MS;
      for (;;) {
        const found = changes.find((change) => change.revision === wanted);
        if (found !== undefined) return found;
        if (failed !== undefined) throw failed;
        const left = deadline - Date.now();
        if (left <= 0) throw new Error(`revision ${wanted} of ${name} was not streamed`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    close: () => socket.close(),
  };
  watches.push(watched);
  return watched;
}

async function checkStreamed(
  watched: Watch,
  { revision }: Answer,
  kind: string,
  paths: readonly string[],
): Promise<void> {
  const change = await watched.change(revision);
  const streamed = change.parameters.map(({ path }) => path).sort();
  check(
    `the stream says revision ${revision}, ${kind} of ${paths.join(', ')}`,
    change.kind === kind && equal(streamed, paths.toSorted()),
  );
}

// ---------------------------------------------------------------- the chapter

async function parameterAccess(): Promise<Watch> {
  cell('net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)); net(X)');
  const built = await request('POST', '/v1/models', {
    name: mlp,
    seed: 0,
    architecture: 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))',
  });
  const watched = await watch(mlp, built);
  const { outputs } = await request('POST', `${model(mlp)}/forward`, { inputs: X });
  check(
    'the outputs are those of torch.manual_seed(0)',
    close(outputs.data, [-0.26409363746643066, -0.2673953175544739]),
  );

  cell('net[2].state_dict()');
  const { state_dict: state } = await request('GET', `${model(mlp)}/state_dict?module=2`);
  check('its names are weight and bias', equal(Object.keys(state), ['weight', 'bias']));
  check(
    'its first weight is 0.01859392412006855',
    sameBits(state.weight?.data.slice(0, 1) ?? [], [0.01859392412006855]),
  );

  cell('net[2].bias, net[2].bias.data');
  const bias = await request('GET', parameter(mlp, '2.bias'));
  check('it is -0.15679916739463806, to the bit', sameBits(bias.value.data, [-0.15679916739463806]));

  cell('net[2].weight.grad == None');
  const weight = await request('GET', parameter(mlp, '2.weight'));
  check('there is no gradient before a backward', weight.grad === null);

  cell('net[0].named_parameters(), net.named_parameters()');
  const shapes = ({ parameters }: Answer): string[] =>
    parameters.map(({ path, shape }) => `${path} [${shape.join(', ')}]`);
  const own = await request('GET', `${model(mlp)}/parameters?module=0`);
  check('net[0] has weight [8, 4], bias [8]', equal(shapes(own), ['weight [8, 4]', 'bias [8]']));
  const all = await request('GET', `${model(mlp)}/parameters`);
  check(
    'net has four',
    equal(shapes(all), ['0.weight [8, 4]', '0.bias [8]', '2.weight [1, 8]', '2.bias [1]']),
  );

  cell("net.state_dict()['2.bias'].data");
  const whole = await request('GET', `${model(mlp)}/state_dict`);
  check('it is the same number', equal(whole.state_dict['2.bias']?.data ?? [], bias.value.data));
  return watched;
}

async function nestedBlocks(): Promise<void> {
  cell('rgnet = nn.Sequential(block2(), nn.Linear(4, 1)); rgnet(X)');
  const linear = (inFeatures: number, outFeatures: number) => {
    return { type: 'Linear', in_features: inFeatures, out_features: outFeatures };
  };
  const block1 = {
    type: 'Sequential',
    children: [linear(4, 8), { type: 'ReLU' }, linear(8, 4), { type: 'ReLU' }],
  };
  const block2 = {
    type: 'Sequential',
    children: [0, 1, 2, 3].map((i) => ({ name: `block ${i}`, block: 'block1' })),
  };
  await request('POST', '/v1/models', {
    name: rgnet,
    seed: 0,
    architecture: { blocks: { block1 }, type: 'Sequential', children: [block2, linear(4, 1)] },
  });
  const { outputs } = await request('POST', `${model(rgnet)}/forward`, { inputs: X });
  check(
    'the outputs are those of torch.manual_seed(0)',
    close(outputs.data, [0.17172400653362274, 0.17172400653362274]),
  );

  cell('print(rgnet)');
  const printed = await send('GET', `${model(rgnet)}/repr`);
  const block = (i: number): string[] => [
    `    (block ${i}): Sequential(`,
    '      (0): Linear(in_features=4, out_features=8, bias=True)',
    '      (1): ReLU()',
    '      (2): Linear(in_features=8, out_features=4, bias=True)',
    '      (3): ReLU()',
    '    )',
  ];
  const expected = [
    'Sequential(',
    '  (0): Sequential(',
    ...[0, 1, 2, 3].flatMap(block),
    '  )',
    '  (1): Linear(in_features=4, out_features=1, bias=True)',
    ')',
  ];
  console.log(printed.trimEnd());
  check("it is PyTorch's print, to the byte", printed.trimEnd() === expected.join('\n'));

  cell('rgnet[0][1][0].bias.data');
  const bias = await request('GET', parameter(rgnet, '0.block 1.0.bias'));
  const reference = [
    -0.027549803256988525, 0.0750725269317627, -0.20476514101028442, 0.2966887950897217, -0.30426955223083496,
    0.45368504524230957, 0.3426499366760254, -0.42164146900177,
  ];
  check('it is the bias of torch.manual_seed(0), to the bit', sameBits(bias.value.data, reference));
}

async function initialization(watched: Watch): Promise<void> {
  const rule = (name: string, init: Record<string, unknown>) => {
    return { types: ['Linear'], parameters: [name], init };
  };
  const everyPath = ['0.weight', '0.bias', '2.weight', '2.bias'];
  const read = async (path: string): Promise<number[]> =>
    (await request('GET', parameter(mlp, path))).value.data;

  cell('net.apply(init_normal)');
  const normal = await request('POST', `${model(mlp)}/init`, {
    rules: [rule('weight', { name: 'normal', mean: 0, std: 0.01 }), rule('bias', { name: 'zeros' })],
  });
  await checkStreamed(watched, normal, 'init', everyPath);
  const row = [0.008728312328457832, 0.010553574189543724, 0.0017784371739253402, -0.002303354674950242];
  check("the generator goes on as PyTorch's does", close((await read('0.weight')).slice(0, 4), row));
  check('the biases are 0', equal(await read('0.bias'), Array<number>(8).fill(0)));

  cell('net.apply(init_constant)');
  const constant = await request('POST', `${model(mlp)}/init`, {
    rules: [rule('weight', { name: 'constant', val: 1 }), rule('bias', { name: 'zeros' })],
  });
  await checkStreamed(watched, constant, 'init', everyPath);
  check('the weights are 1', equal(await read('0.weight'), Array<number>(32).fill(1)));

  cell('net[0].apply(init_xavier); net[2].apply(init_42)');
  const xavier = await request('POST', `${model(mlp)}/init`, {
    module: '0',
    rules: [rule('weight', { name: 'xavier_uniform' })],
  });
  await checkStreamed(watched, xavier, 'init', ['0.weight']);
  const fortyTwo = await request('POST', `${model(mlp)}/init`, {
    module: '2',
    rules: [rule('weight', { name: 'constant', val: 42 })],
  });
  await checkStreamed(watched, fortyTwo, 'init', ['2.weight']);
  const uniform = [0.1479984074831009, -0.5516026616096497, -0.40716585516929626, 0.6652101874351501];
  check("module 0 is PyTorch's, to the bit", sameBits((await read('0.weight')).slice(0, 4), uniform));
  check('module 2 is 42', equal(await read('2.weight'), Array<number>(8).fill(42)));

  cell('net.apply(my_init): uniform in [-10, 10), what is under 5 becomes 0');
  const mine = await request('POST', `${model(mlp)}/init`, {
    rules: [rule('weight', { name: 'uniform', a: -10, b: 10, then: 'w * (abs(w) >= 5)' })],
  });
  await checkStreamed(watched, mine, 'init', ['0.weight', '2.weight']);
  const first = [-8.196216583251953, -0, 0, -6.514657974243164];
  check("its first row is PyTorch's, to the bit", sameBits((await read('0.weight')).slice(0, 4), first));

  cell('net[0].weight.data[:] += 1; net[0].weight.data[0, 0] = 42; net[0].weight.data[0]');
  const patched = await request('PATCH', parameter(mlp, '0.weight'), {
    ops: [
      { op: 'add', index: ':', value: 1 },
      { op: 'set', index: '0,0', value: 42 },
    ],
  });
  await checkStreamed(watched, patched, 'patch', ['0.weight']);
  const { value } = await request('GET', `${parameter(mlp, '0.weight')}?index=0`);
  check('it is [42, 1, 1, -5.514658]', close(value.data, [42, 1, 1, -5.514657974243164]));
}

async function tiedParameters(): Promise<void> {
  cell('shared = nn.Linear(8, 8); net = nn.Sequential(..., shared, nn.ReLU(), shared, ...); net(X)');
  const relu = { type: 'ReLU' };
  const built = await request('POST', '/v1/models', {
    name: tied,
    seed: 0,
    architecture: {
      shared: { shared: { type: 'Linear', in_features: 8, out_features: 8 } },
      type: 'Sequential',
      children: [
        { type: 'Linear', in_features: 4, out_features: 8 },
        relu,
        { shared: 'shared' },
        relu,
        { shared: 'shared' },
        relu,
        { type: 'Linear', in_features: 8, out_features: 1 },
      ],
    },
  });
  const watched = await watch(tied, built);
  const { outputs } = await request('POST', `${model(tied)}/forward`, { inputs: X });
  check(
    'the outputs are those of torch.manual_seed(0)',
    close(outputs.data, [0.10595151782035828, 0.1684523969888687]),
  );

  cell('net[2].weight.data[0] == net[4].weight.data[0]');
  const row = async (path: string): Promise<number[]> => {
    return (await request('GET', `${parameter(tied, path)}?index=0`)).value.data;
  };
  check('all are equal', equal(await row('2.weight'), await row('4.weight')));

  cell('net[2].weight.data[0, 0] = 100');
  const patched = await request('PATCH', parameter(tied, '2.weight'), {
    ops: [{ op: 'set', index: '0,0', value: 100 }],
  });
  const { parameters } = await watched.change(patched.revision);
  const [changed] = parameters;
  check(
    'the stream says both names',
    equal([changed?.path, ...(changed?.aliases ?? [])], ['2.weight', '4.weight']),
  );
  const [second, fourth] = [await row('2.weight'), await row('4.weight')];
  check('it is read through the other name: one object, not two of one value', fourth[0] === 100);
  check('all are equal', equal(second, fourth));
}

try {
  const watched = await parameterAccess();
  await nestedBlocks();
  await initialization(watched);
  await tiedParameters();
} catch (error) {
  failures++;
  console.error(error instanceof Error ? error.message : error);
} finally {
  for (const watched of watches) watched.close();
  cell('the models are deleted');
  for (const name of [mlp, rgnet, tied]) {
    await fetch(new URL(model(name), base), { method: 'DELETE' }).catch(() => undefined);
  }
}
console.log(failures === 0 ? '\nAll as in the chapter.' : `\n${failures} not as in the chapter.`);
process.exitCode = failures === 0 ? 0 : 1;
