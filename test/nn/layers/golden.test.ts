// The layers of test/fixtures/golden/layers.json, which its make.py writes with PyTorch.

import { readFileSync } from 'node:fs';
import { describe } from 'vitest';
import { itMatchesPyTorch, type Case } from './cases.js';
import type { Tensor } from './network.js';

interface GoldenCase extends Omit<Case, 'inputs' | 'input_grads'> {
  readonly input: Tensor;
  readonly input_grad: Tensor | null;
}

const url = new URL('../../fixtures/golden/layers.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: GoldenCase[] };

describe('golden layers, forward and backward', () => {
  itMatchesPyTorch(
    cases.map(({ input, input_grad: grad, ...entry }) => ({
      ...entry,
      inputs: [input],
      input_grads: [grad],
    })),
  );
});
