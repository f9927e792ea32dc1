import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, it } from 'vitest';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';

/** Of this process, by thread: field 19 of stat, counted from behind the name, which may have spaces in it. */
function nicenesses(): number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

it.skipIf(process.platform !== 'linux')(
  'each worker lets the main thread go first, and no other thread does',
  async () => {
    const nicer = () => nicenesses().filter((niceness) => niceness > getPriority()).length;
    const before = nicer();
    const pool = new Pool({
      workers: 2,
      memory: new SharedMemory({ limitBytes: 2 ** 20 }),
      timeoutMs: 30_000,
    });
    await pool.ready();
    expect(nicer() - before).toBe(getPriority() < 19 ? 2 : 0);
    await pool.close();
  },
);
