// How fast is an optimizer's step beside PyTorch's, on one thread? Beside its default implementation, which goes over the
// parameter once an operation, and its fused one where it has it. In ns an element; sides take turns, round after round.

import { median, report } from './measure.js';
import type { UpdatesJob } from './peers/updates-job.js';
import { quiet } from './quiet.js';
import { agree, scriptSide, pythonSide } from './sides.js';

/** MLP 784-256-10, and more than the caches hold. */
const SIZES = [203_530, 4_000_000];
const ROUNDS = 5;
const SECONDS = 0.1;
const PATIENCE_MS = 2000;

const OPTIMIZERS: readonly { name: string; options: UpdatesJob['options']; fused?: true }[] = [
  { name: 'SGD', options: { momentum: 0.9 }, fused: true },
  { name: 'Adam', options: {}, fused: true },
  { name: 'AdamW', options: { amsgrad: true }, fused: true },
  { name: 'RMSprop', options: { centered: true, momentum: 0.9 } },
  { name: 'Adagrad', options: {}, fused: true },
  { name: 'Adadelta', options: {} },
  { name: 'Adamax', options: {} },
  { name: 'NAdam', options: {} },
  { name: 'RAdam', options: {} },
  { name: 'Rprop', options: {} },
];

const ours = scriptSide<UpdatesJob>('weightroom', 'updates-ours.js');
const torch = pythonSide<UpdatesJob>('PyTorch', 'updates-torch.py');
if (!torch) console.log('there is no Python with PyTorch here (PYTHON, or python3): measured alone');
const results: Record<string, number> = {};
for (const { name, options, fused } of OPTIMIZERS) {
  for (const numel of SIZES) {
    const taken = { ours: [] as number[], torch: [] as number[], fused: [] as number[] };
    const job: UpdatesJob = { name, options, numel, seconds: SECONDS };
    const what = `${name}, ${numel} elements`;
    for (let round = 0; round < ROUNDS; round++) {
      await quiet(PATIENCE_MS);
      const answer = await ours.ask(job);
      taken.ours.push(answer.seconds);
      if (!torch) continue;
      const theirs = await torch.ask(job);
      agree(answer, theirs, what);
      taken.torch.push(theirs.seconds);
      if (!fused) continue;
      taken.fused.push((await torch.ask({ ...job, options: { ...options, fused: true } })).seconds);
    }
    results[`${what}, ns an element`] = (median(taken.ours) / numel) * 1e9;
    for (const peer of ['torch', 'fused'] as const) {
      if (taken[peer].length === 0) continue;
      const ratios = taken[peer].map((theirs, round) => theirs / taken.ours[round]!);
      results[`${what}, times PyTorch's speed${peer === 'fused' ? ', fused' : ''}`] = median(ratios);
    }
  }
}
await ours.end();
await torch?.end();
report('updates', results);
