// A worker of the crew's test: number 0 leads steps whose parts count themselves; the others help until they are ended.

import { parentPort, workerData } from 'node:worker_threads';
import { Board } from '#src/runtime/board.js';
import { Helper, Leader } from '#src/runtime/crew.js';
import { Ring } from '#src/runtime/ring.js';

const { index, steps, parts, fails, counts: shared } = workerData;
const stations = workerData.stations.map(({ ring, board }) => ({
  ring: new Ring(ring),
  board: new Board(board),
}));
const counts = new Int32Array(shared);
const PLAN = 7;

class PartError extends Error {}

/** Work of a length that no compiler can see through, then a count. */
function runPart(step, part, from) {
  let x = step + part;
  for (let i = 0; i < 2000; i++) x = Math.imul(x, 1664525) + 1013904223;
  if (fails && step % 5 === 0 && part === parts - 1)
    throw new PartError(`part ${part} of step ${step} at ${from}`);
  Atomics.add(counts, step * parts + part, x === 0.5 ? 2 : 1);
}

function lead() {
  const { ring } = stations[0];
  ring.submit('forward', { plan: PLAN, segment: 0, arena: 0, bindings: [] });
  const leader = new Leader(stations, 0);
  leader.entry = ring.begin();
  const early = [];
  const errors = [];
  for (let step = 0; step < steps; step++) {
    try {
      leader.share(step, parts, (part) => runPart(step, part, 'the leader'));
    } catch (error) {
      errors.push([error instanceof PartError, error.message]);
    }
    for (let part = 0; part < parts; part++)
      if (Atomics.load(counts, step * parts + part) === 0) early.push([step, part]);
  }
  parentPort.postMessage({
    early,
    errors,
    helped: stations.reduce((sum, { ring }) => sum + ring.figure('parts'), 0),
  });
}

function help() {
  const { ring } = stations[index];
  const helper = new Helper({
    stations,
    index,
    knows: (plan) => plan === PLAN,
    prepare: () => (step, part) => runPart(step, part, 'a helper'),
  });
  parentPort.postMessage('ready');
  for (;;) {
    const { rung } = ring;
    if (helper.help()) continue;
    ring.state = 'spinning';
    for (let i = 0; i < 20000 && ring.rung === rung; i++);
    ring.state = 'asleep';
    if (ring.rung === rung) ring.sleep(rung);
  }
}

if (index === 0) lead();
else help();
