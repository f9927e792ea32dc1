// A plan: a graph with an address for every value, ready to run as often as wanted without allocating.
// Addresses are offsets into an arena that the caller gives; values whose last reader is past share their bytes.

import { byteLength } from '../tensor/shape.js';
import type { Kernels } from './kernels.js';
import { OPS } from './ops.js';
import type { Op, Operand, OpName, Step } from './op.js';
import type { Graph, Node, Source } from './tracer.js';

/** Where a step finds an operand: bytes into the arena, or the address bound to a stored tensor. */
export type Location = { readonly arena: number } | { readonly stored: number };

export interface PlannedStep extends Step {
  readonly from: readonly (Location | null)[];
  readonly to: number;
  readonly scratch: number;
}

/** Cloned to workers as it is. */
export interface Plan {
  readonly input: Operand;
  readonly output: Operand;
  readonly steps: readonly PlannedStep[];
  /** The input stands at the arena's first byte. */
  readonly inputBytes: number;
  readonly result: Location;
  readonly arenaBytes: number;
  /** Estimated floating-point operations. */
  readonly cost: number;
}

const ALIGNMENT = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Hands out arena ranges first-fit and takes them back. */
class Arena {
  bytes = 0;
  private free: { at: number; bytes: number }[] = [];

  take(bytes: number): number {
    const need = aligned(bytes);
    const fit = this.free.findIndex((hole) => hole.bytes >= need);
    if (fit < 0) {
      const at = this.bytes;
      this.bytes += need;
      return at;
    }
    const hole = this.free[fit]!;
    const at = hole.at;
    hole.at += need;
    hole.bytes -= need;
    if (hole.bytes === 0) this.free.splice(fit, 1);
    return at;
  }

  give(at: number, bytes: number): void {
    const hole = { at, bytes: aligned(bytes) };
    if (hole.bytes === 0) return;
    const next = this.free.findIndex((other) => other.at > at);
    const index = next < 0 ? this.free.length : next;
    this.free.splice(index, 0, hole);
    for (const i of [index, index - 1]) {
      const [left, right] = [this.free[i], this.free[i + 1]];
      if (!left || !right) continue;
      if (left.at + left.bytes === right.at) {
        left.bytes += right.bytes;
        this.free.splice(i + 1, 1);
      }
    }
  }
}

/** Lays a graph out. Steps without work (flatten) become the bytes that they view. Throws SizeError. */
export function makePlan(graph: Graph, kernels: Kernels): Plan {
  const owner = (source: Source): Source => {
    let own = source;
    while (own.from === 'step' && !opOf(graph.nodes[own.index]!).run)
      own = graph.nodes[own.index]!.sources[0]!;
    return own;
  };
  const key = (source: Source): string =>
    source.from === 'input' ? 'input' : `${source.from} ${source.index}`;

  const lastReader = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    if (!opOf(node).run) return;
    for (const source of node.sources) if (source) lastReader.set(key(owner(source)), index);
  });
  lastReader.delete(key(owner(graph.output.source))); // the result is never given back
  /** What each step is the last to read. */
  const done = new Map<number, string[]>();
  for (const [id, reader] of lastReader) {
    const ids = done.get(reader);
    if (ids) ids.push(id);
    else done.set(reader, [id]);
  }

  const arena = new Arena();
  const places = new Map<string, { at: number; bytes: number }>();
  const place = (id: string, bytes: number): number => {
    const at = arena.take(bytes);
    places.set(id, { at, bytes });
    return at;
  };
  const locate = (source: Source): Location => {
    const own = owner(source);
    return own.from === 'stored' ? { stored: own.index } : { arena: places.get(key(own))!.at };
  };

  const inputBytes = byteLength(graph.input.shape, graph.input.dtype);
  place('input', inputBytes);
  const steps: PlannedStep[] = [];
  let cost = 0;
  graph.nodes.forEach((node, index) => {
    const op = opOf(node);
    if (!op.run) return;
    const from = node.sources.map((source) => source && locate(source));
    const to = place(`step ${index}`, byteLength(node.output.shape, node.output.dtype));
    const scratchBytes = op.scratch?.(node.inputs, kernels) ?? 0;
    const scratch = arena.take(scratchBytes);
    arena.give(scratch, scratchBytes);
    for (const id of done.get(index) ?? []) {
      const range = places.get(id);
      if (range) arena.give(range.at, range.bytes);
    }
    const { op: name, attributes, inputs, output } = node;
    steps.push({ op: name, attributes, inputs, output, from, to, scratch });
    cost += op.cost?.(node.inputs, node.output, node.attributes) ?? 0;
  });
  const { shape, dtype } = graph.output;
  return {
    input: { shape: graph.input.shape, dtype: graph.input.dtype },
    output: { shape, dtype },
    steps,
    inputBytes,
    result: locate(graph.output.source),
    arenaBytes: Math.max(arena.bytes, ALIGNMENT),
    cost,
  };
}

/**
 * Runs a plan whose input stands at `arena`; `bindings[i]` is the address of the graph's i-th stored tensor.
 * Throws ValueError where a value is one that PyTorch refuses.
 */
export function runPlan(plan: Plan, kernels: Kernels, arena: number, bindings: readonly number[]): void {
  for (const step of plan.steps) {
    const inputs = step.from.map((place) => (place ? address(place, arena, bindings) : 0));
    opOf(step).run!(kernels, step, { inputs, output: arena + step.to, scratch: arena + step.scratch });
  }
}

/** The address of a location, given the arena's and the stored tensors'. */
export function address(place: Location, arena: number, bindings: readonly number[]): number {
  return 'arena' in place ? arena + place.arena : bindings[place.stored]!;
}

function opOf(step: Step | Node): Op<OpName> {
  return OPS[step.op];
}
