// torch.autograd.gradcheck for a live model: gradients beside central differences, element by element. Nothing of the model
// changes: what is varied are copies.

import { address } from '../graph/run.js';
import { GENERATOR } from '../graph/tracer.js';
import type { Parameter } from '../nn/module.js';
import { Generator } from '../random/generator.js';
import { wireNumber } from '../tensor/number-schema.js';
import { contiguousStrides, numel, type Shape } from '../tensor/shape.js';
import { goalOf, trained, type BackwardRequest } from './edit-backward.js';
import type { Storage } from './companion.js';
import type { Draft } from './draft.js';
import type { Pass, PassSpec } from './pass.js';
import { makePassFor, placeInputs, planned, type PassMeans } from './passes.js';
import { givenTo } from './given.js';
import { moduleAt, type ModelState } from './state.js';

export interface GradientCheckRequest extends Omit<BackwardRequest, 'input_grad'> {
  readonly epsilon: number;
  readonly rtol: number;
  readonly atol: number;
  /** Elements of each parameter, evenly spread. */
  readonly samples: number;
}

/** Elements of one call are begun for so long. */
const BUDGET_MS = 100;

interface Probe {
  readonly parameter: Parameter;
  readonly element: number;
  readonly analytic: number;
}

/** Throws ApiError, ShapeError, TensorError, ValueError, QuotaError, WorkerLostError. The draft is only for scratch. */
export async function checkGradients(
  state: ModelState,
  request: GradientCheckRequest,
  { draft, ...means }: PassMeans & { draft: Draft },
) {
  const { module } = moduleAt(state, request.module);
  const { goal, others } = goalOf(request);
  const inputs = givenTo(module, request.inputs);
  const given = [...inputs, ...others];
  const parameters = trained(state, module);
  const spec: PassSpec = {
    module,
    mode: request.mode,
    inputs: inputs.map(planned),
    others: others.map(planned),
    goal,
    parameters,
    accumulated: new Set(),
    inputGrad: false,
    training: true,
    objective: true,
  };
  const backward = makePassFor(spec, means.kernels);
  const forward = makePassFor({ ...spec, parameters: [] }, means.kernels);
  const { memory, pool } = means.workplace;
  try {
    const copies = new Map(parameters.map((parameter) => [parameter as Storage, draft.copyOf(parameter)]));
    const generator = {
      from: draft.nextGenerator().address,
      to: draft.room(Generator.bytes).address,
      bytes: Generator.bytes,
    };
    await draft.run();
    const [slow, fast] = [backward, forward].map((pass) => {
      const { room, inputs, arena } = placeInputs(pass.plan, given, { draft, memory });
      const bindings = [
        ...pass.stored.map((stored) =>
          stored === GENERATOR
            ? generator.to
            : (copies.get(stored as Storage)?.address ?? state.tensors.get(stored as Storage).region.address),
        ),
        ...inputs,
        // Buffers' next values, which nobody looks at.
        ...pass.written.map((parameter) => draft.scratch(parameter as Parameter).address),
        ...pass.plan.packed.map(() => 0),
      ];
      const locate = (slot: number): number => address(pass.plan.outputs[slot]!.at, { arena, bindings });
      return { call: { plan: pass.id, segment: room.segment, arena, bindings }, locate };
    }) as [Placed, Placed];
    await pool.call('edit', {
      segment: slow.call.segment,
      steps: [{ kind: 'copy', from: generator.from, to: generator.to, bytes: generator.bytes }],
    });
    await pool.call('forward', slow.call, backward.plan);
    const probes = parameters.flatMap((parameter): Probe[] => {
      const slot = backward.slots.gradients.get(parameter);
      if (slot === undefined) return [];
      const { data } = memory.view(slow.call.segment, slow.locate(slot), parameter.shape, 'float32');
      return spreadOver(numel(parameter.shape), request.samples).map((element) => ({
        parameter,
        element,
        analytic: Number(data[element]),
      }));
    });
    const elements = probes.map(({ parameter, element }) => copies.get(parameter)!.address + 4 * element);
    const numeric: number[] = [];
    while (numeric.length < elements.length) {
      const found = await pool.call(
        'differences',
        {
          ...fast.call,
          loss: fast.locate(forward.slots.loss!),
          elements: elements.slice(numeric.length),
          epsilon: request.epsilon,
          generator,
          budgetMs: BUDGET_MS,
        },
        forward.plan,
      );
      numeric.push(...found);
    }
    return describe(state, request, { probes, numeric });
  } finally {
    for (const { id } of [backward, forward]) pool.forget(id);
  }
}

interface Placed {
  readonly call: { plan: Pass['id']; segment: number; arena: number; bindings: number[] };
  readonly locate: (slot: number) => number;
}

function describe(
  state: ModelState,
  { rtol, atol }: GradientCheckRequest,
  { probes, numeric }: { probes: readonly Probe[]; numeric: readonly number[] },
) {
  const found = probes.map(({ parameter, element, analytic }, i) => {
    const other = numeric[i]!;
    const difference = Math.abs(analytic - other);
    // In units of what is allowed; NaN is never allowed.
    const error = difference / (atol + rtol * Math.abs(other));
    return {
      parameter,
      element,
      analytic,
      numeric: other,
      difference,
      error: Number.isNaN(error) ? Infinity : error,
    };
  });
  type Found = (typeof found)[number];
  const worstOf = (all: readonly Found[]): Found | undefined =>
    all.reduce<Found | undefined>(
      (worst, one) => (worst && worst.error >= one.error ? worst : one),
      undefined,
    );
  const told = ({ parameter, element, analytic, numeric: other, difference }: Found) => ({
    path: state.structure.identify(parameter).path,
    index: indexOf(element, parameter.shape),
    analytic: wireNumber(analytic),
    numeric: wireNumber(other),
    difference: wireNumber(difference),
  });
  const worst = worstOf(found);
  return {
    passed: found.every(({ error }) => error <= 1),
    worst: worst ? told(worst) : null,
    parameters: [...new Set(found.map(({ parameter }) => parameter))].map((parameter) => {
      const own = found.filter((one) => one.parameter === parameter);
      const { difference } = worstOf(own)!;
      return {
        path: state.structure.identify(parameter).path,
        checked: own.length,
        passed: own.every(({ error }) => error <= 1),
        difference: wireNumber(difference),
      };
    }),
  };
}

/** At most `most` of the elements 0 ... count - 1, the first and the last among them. */
function spreadOver(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  if (most === 1) return [0];
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}

/** Where an element stands, as an index: "0,3". */
function indexOf(element: number, shape: Shape): string {
  let left = element;
  return contiguousStrides(shape)
    .map((stride) => {
      const at = Math.floor(left / stride);
      left -= at * stride;
      return at;
    })
    .join(',');
}
