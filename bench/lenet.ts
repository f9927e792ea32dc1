// How fast is a forward of LeNet beside onnxruntime and PyTorch, on one thread? And where does its time go?
// Sides take turns, round after round.

import { median, report } from './measure.js';
import type { LenetJob } from './peers/lenet-job.js';
import type { LenetAnswer } from './peers/lenet-ours.js';
import { quiet } from './quiet.js';
import { agree, peerSides, scriptSide, type Answer } from './sides.js';

const BATCHES = [1, 32];
const ROUNDS = 7;
const SECONDS = 0.1;
const PATIENCE_MS = 2000;

const ours = scriptSide<LenetJob, LenetAnswer>('weightroom', 'lenet-ours.js', 'auto');
const webAssembly = scriptSide<LenetJob, LenetAnswer>('weightroom webassembly', 'lenet-ours.js', 'off');
const peers = peerSides<LenetJob>('lenet');
const sides = [ours, webAssembly, ...peers];

const results: Record<string, number> = {};
for (const batch of BATCHES) {
  const taken = new Map(sides.map(({ name }) => [name, [] as number[]]));
  const steps = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    await quiet(PATIENCE_MS);
    let first: Answer | undefined;
    for (const side of sides) {
      const answer = await side.ask({ batch, seconds: SECONDS });
      first ??= answer;
      agree(first, answer, side.name);
      taken.get(side.name)!.push(answer.seconds * 1e6);
      if (side !== ours) continue;
      results[`batch ${batch}, peak memory of the plan, bytes`] = (answer as LenetAnswer).peakBytes;
      for (const [step, time] of Object.entries((answer as LenetAnswer).profile)) {
        steps.set(step, [...(steps.get(step) ?? []), time]);
      }
    }
  }
  for (const { name } of sides) results[`batch ${batch}, ${name}, µs`] = median(taken.get(name)!);
  if (peers.length > 0) {
    const ratios = taken
      .get(ours.name)!
      .map((own, round) => Math.min(...peers.map(({ name }) => taken.get(name)![round]!)) / own);
    results[`batch ${batch}, ratio to the better peer`] = median(ratios);
  }
  for (const [step, times] of steps) results[`batch ${batch}, step ${step}, µs`] = median(times);
}
for (const side of sides) await side.end();
report('lenet', results);
