// Runs an example of training by its name: node dist/examples/training/run.js lenet [http://127.0.0.1:8080]

import { copying } from './copying.js';
import { lenet } from './lenet.js';
import { linearRegression } from './linear-regression.js';
import { mlp } from './mlp.js';
import { Server } from './server.js';
import { sine } from './sine.js';
import { softmaxRegression } from './softmax-regression.js';
import { xor } from './xor.js';

const EXAMPLES = {
  xor,
  'linear-regression': linearRegression,
  'softmax-regression': softmaxRegression,
  mlp,
  lenet,
  sine,
  copying,
} as const;

const [name = '', url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
if (!Object.hasOwn(EXAMPLES, name)) {
  console.error(`which one? ${Object.keys(EXAMPLES).join(', ')}`);
  process.exit(1);
}
const begin = performance.now();
const reached = await EXAMPLES[name as keyof typeof EXAMPLES](new Server(url));
console.log(reached, `${((performance.now() - begin) / 1000).toFixed(1)} s`);
