// How many steps of training a second, by jobs over HTTP, beside PyTorch's loop, on one thread and on two? And where does the
// time go? Sides take turns, round after round.

import { median, report } from './measure.js';
import type { TrainingJob } from './peers/training-job.js';
import type { TrainingAnswer } from './peers/training-ours.js';
import { quiet } from './quiet.js';
import { agree, pythonSide, scriptSide, type Answer } from './sides.js';

const MLP = 'nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))';
const LENET =
  'nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), ' +
  'nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))';
const SGD = { name: 'SGD', lr: 0.05, momentum: 0.9 };
const ADAM = { name: 'Adam', lr: 0.001 };

const NETWORKS: Readonly<Record<string, Omit<TrainingJob, 'threads'>>> = {
  'MLP 784-256-10, batch 256, SGD': { network: MLP, shape: [784], batch: 256, optimizer: SGD, steps: 400 },
  'MLP 784-256-10, batch 256, Adam': { network: MLP, shape: [784], batch: 256, optimizer: ADAM, steps: 400 },
  'LeNet, batch 64, SGD': { network: LENET, shape: [1, 28, 28], batch: 64, optimizer: SGD, steps: 200 },
  'LeNet, batch 64, Adam': { network: LENET, shape: [1, 28, 28], batch: 64, optimizer: ADAM, steps: 200 },
};
const THREADS = [1, 2];
const ROUNDS = 5;
const PATIENCE_MS = 2000;
/** Kinds of steps that take less of the plan are not listed. */
const LISTED = 0.02;

const ours = scriptSide<TrainingJob, TrainingAnswer>('weightroom', 'training-ours.js');
const torch = pythonSide<TrainingJob>('PyTorch', 'training-torch.py');
const sides = [ours, ...(torch ? [torch] : [])];
if (!torch) console.log('no python3 with torch is here: ours alone');

const results: Record<string, number> = {};
for (const [name, job] of Object.entries(NETWORKS)) {
  for (const threads of THREADS) {
    const label = `${name}, ${threads === 1 ? 'one thread' : `${threads} threads`}`;
    const taken = new Map(sides.map((side) => [side.name, [] as number[]]));
    const profiles = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round++) {
      await quiet(PATIENCE_MS);
      let first: Answer | undefined;
      for (const side of sides) {
        const answer = await side.ask({ ...job, threads });
        first ??= answer;
        agree(first, answer, side.name);
        taken.get(side.name)!.push(answer.seconds);
        if (side !== ours) continue;
        for (const [step, time] of Object.entries((answer as TrainingAnswer).profile)) {
          profiles.set(step, [...(profiles.get(step) ?? []), time]);
        }
      }
    }
    for (const side of sides) results[`${label}, ${side.name}, steps/s`] = 1 / median(taken.get(side.name)!);
    if (torch) {
      const ratios = taken.get(ours.name)!.map((own, round) => taken.get(torch.name)![round]! / own);
      results[`${label}, speed in PyTorch's`] = median(ratios);
    }
    if (threads > 1) continue;
    const plan = median(profiles.get('plan')!);
    results[`${label}, a step, µs`] = median(taken.get(ours.name)!) * 1e6;
    for (const [step, times] of profiles) {
      if (median(times) >= LISTED * plan) results[`${label}, of it ${step}, µs`] = median(times);
    }
  }
}
for (const side of sides) await side.end();
report('training', results);
