// Several distributions in one tensor, each with its share. Not in PyTorch; a few lines of it draw the same:
//   choice = torch.rand(shape)
//   values = [torch.empty(shape).uniform_(5, 10), torch.empty(shape).normal_(0, 1)]  # in order; constants draw nothing
//   w = torch.where(choice < p[0], values[0], torch.where(choice < p[0] + p[1], ...))

import { normal, normalFault, uniform, uniformFault } from '../../random/distributions.js';
import { overflowsFloat } from './constants.js';
import type { Row, Target } from './row.js';
import type { InitOf } from './spec.js';

type Component = InitOf<'mixture'>['components'][number];

export const MIXTURE: Row<'mixture'> = {
  fault({ components }) {
    for (const [i, component] of components.entries()) {
      const wrong = componentFault(component);
      if (wrong !== undefined) return `components[${i}]: ${wrong}`;
    }
    return undefined;
  },
  fill({ data, generator }, { components }) {
    const choice = new Float32Array(data.length);
    uniform(generator, choice);
    const values = new Float32Array(data.length);
    let below = 0;
    components.forEach((component, k) => {
      const from = Math.fround(below);
      below += component.p;
      // The last one takes what rounding leaves over.
      const to = k === components.length - 1 ? 1 : Math.fround(below);
      draw(component, { data: values, generator });
      for (let i = 0; i < data.length; i++) if (choice[i]! >= from && choice[i]! < to) data[i] = values[i]!;
    });
  },
};

function componentFault(component: Component): string | undefined {
  if (component.uniform) return uniformFault({ a: component.uniform[0], b: component.uniform[1] });
  if (component.normal) return normalFault({ std: component.normal[1] });
  return overflowsFloat(component.constant ?? 0)
    ? 'value cannot be converted to type float without overflow'
    : undefined;
}

function draw(component: Component, { data, generator }: Pick<Target, 'data' | 'generator'>): void {
  if (component.uniform) uniform(generator, data, { a: component.uniform[0], b: component.uniform[1] });
  else if (component.normal) normal(generator, data, { mean: component.normal[0], std: component.normal[1] });
  else data.fill(component.constant ?? 0);
}
