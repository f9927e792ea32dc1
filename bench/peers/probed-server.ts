// Weightroom with a probe beside it.

import { answerProbes } from './probe.js';

answerProbes(Number(process.env.PROBE_PORT));
await import('../../src/main.js');
