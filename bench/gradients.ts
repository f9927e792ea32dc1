// How fast are a forward and its gradients, of convolutions of each kind, beside PyTorch, on one thread? And where does
// the time go? Sides take turns, round after round.

import { median, report } from './measure.js';
import type { GradientsJob } from './peers/gradients-job.js';
import type { GradientsAnswer } from './peers/gradients-ours.js';
import { quiet } from './quiet.js';
import { agree, pythonSide, scriptSide, type Answer } from './sides.js';

const NETWORKS: Readonly<Record<string, Omit<GradientsJob, 'seconds'>>> = {
  'LeNet, batch 64': {
    network:
      'nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), ' +
      'nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))',
    shape: [64, 1, 28, 28],
  },
  '64 channels of 16 × 16': {
    network: 'nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1))',
    shape: [16, 64, 16, 16],
  },
  '512 channels of 4 × 4': {
    network: 'nn.Sequential(nn.Conv2d(512, 512, 3, padding=1), nn.ReLU(), nn.Conv2d(512, 512, 3, padding=1))',
    shape: [16, 512, 4, 4],
  },
  'stride 2': {
    network:
      'nn.Sequential(nn.Conv2d(3, 64, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(64, 128, 3, stride=2, padding=1))',
    shape: [16, 3, 32, 32],
  },
  transposed: {
    network:
      'nn.Sequential(nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1))',
    shape: [16, 64, 8, 8],
  },
  'three dimensions': {
    network: 'nn.Sequential(nn.Conv3d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv3d(16, 16, 3, padding=1))',
    shape: [4, 8, 8, 16, 16],
  },
  'depthwise and pointwise': {
    network: 'nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.ReLU(), nn.Conv2d(64, 64, 1))',
    shape: [16, 64, 16, 16],
  },
  upsampling: {
    network:
      'nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 16, 3, padding=1), nn.Upsample(scale_factor=2, mode="bilinear"))',
    shape: [16, 16, 16, 16],
  },
};
const ROUNDS = 5;
const SECONDS = 0.15;
const PATIENCE_MS = 2000;
/** Steps that take less are not listed. */
const LISTED_US = 100;

const ours = scriptSide<GradientsJob, GradientsAnswer>('weightroom', 'gradients-ours.js', 'auto');
const torch = pythonSide<GradientsJob>('PyTorch', 'gradients-torch.py');
const sides = [ours, ...(torch ? [torch] : [])];
if (!torch) console.log('no python3 with torch is here: ours alone');

const results: Record<string, number> = {};
for (const [name, job] of Object.entries(NETWORKS)) {
  const taken = new Map(sides.map((side) => [side.name, [] as number[]]));
  const steps = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    await quiet(PATIENCE_MS);
    let first: Answer | undefined;
    for (const side of sides) {
      const answer = await side.ask({ ...job, seconds: SECONDS });
      first ??= answer;
      agree(first, answer, side.name);
      taken.get(side.name)!.push(answer.seconds * 1e6);
      if (side !== ours) continue;
      for (const [step, time] of Object.entries((answer as GradientsAnswer).profile)) {
        steps.set(step, [...(steps.get(step) ?? []), time]);
      }
    }
  }
  for (const side of sides) results[`${name}, ${side.name}, µs`] = median(taken.get(side.name)!);
  if (torch) {
    const ratios = taken.get(ours.name)!.map((own, round) => taken.get(torch.name)![round]! / own);
    results[`${name}, speed in PyTorch's`] = median(ratios);
  }
  for (const [step, times] of steps) {
    if (median(times) >= LISTED_US) results[`${name}, step ${step}, µs`] = median(times);
  }
}
for (const side of sides) await side.end();
report('gradients', results);
