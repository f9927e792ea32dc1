// Forwards of modules beside onnxruntime and PyTorch, each on one thread, and where the time of ours goes. Sides take
// turns, round after round.

import { median, report } from './measure.js';
import type { ModuleJob } from './peers/module-job.js';
import type { ModuleAnswer } from './peers/module-plan.js';
import { quiet } from './quiet.js';
import { agree, peerSides, scriptSide, type Answer } from './sides.js';

const ROUNDS = 7;
const SECONDS = 0.1;
const PATIENCE_MS = 2000;

/** Asks all sides for each of the jobs, by name, and reports as `work`. */
export async function compareModules(
  work: string,
  jobs: Readonly<Record<string, Omit<ModuleJob, 'seconds'>>>,
): Promise<void> {
  await compareSides<ModuleJob>({ work, script: 'module-ours.js' }, jobs);
}

/** `script`: our side; those of the peers are named after the work. */
export async function compareSides<Job extends { readonly seconds: number }>(
  { work, script }: { readonly work: string; readonly script: string },
  jobs: Readonly<Record<string, Omit<Job, 'seconds'>>>,
): Promise<void> {
  const ours = scriptSide<Job, ModuleAnswer>('weightroom', script, 'auto');
  const webAssembly = scriptSide<Job, ModuleAnswer>('weightroom webassembly', script, 'off');
  const peers = peerSides<Job>(work);
  const sides = [ours, webAssembly, ...peers];
  const results: Record<string, number> = {};
  for (const [label, job] of Object.entries(jobs)) {
    const taken = new Map(sides.map(({ name }) => [name, [] as number[]]));
    const steps = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round++) {
      await quiet(PATIENCE_MS);
      let first: Answer | undefined;
      for (const side of sides) {
        const answer = await side.ask({ ...job, seconds: SECONDS } as unknown as Job);
        first ??= answer;
        agree(first, answer, side.name);
        taken.get(side.name)!.push(answer.seconds * 1e6);
        if (side !== ours) continue;
        for (const [step, time] of Object.entries((answer as ModuleAnswer).profile))
          steps.set(step, [...(steps.get(step) ?? []), time]);
      }
    }
    for (const { name } of sides) results[`${label}, ${name}, µs`] = median(taken.get(name)!);
    if (peers.length > 0) {
      const ratios = taken
        .get(ours.name)!
        .map((own, round) => Math.min(...peers.map(({ name }) => taken.get(name)![round]!)) / own);
      results[`${label}, ratio to the better peer`] = median(ratios);
    }
    for (const [step, times] of steps) results[`${label}, step ${step}, µs`] = median(times);
  }
  for (const side of sides) await side.end();
  report(work, results);
}
