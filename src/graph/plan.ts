// A plan: a graph with an address for every value, ready to run as often as wanted without allocating.
// Addresses are offsets into an arena that the caller gives; values whose last reader is past share their bytes.

import { byteLength } from '../tensor/shape.js';
import type { Kernels, UnaryName } from './kernels.js';
import { OPS } from './ops.js';
import {
  activation,
  type Activation,
  type Op,
  type OpAttributes,
  type Operand,
  type OpName,
  type Step,
} from './op.js';
import { worthPacking } from './panels.js';
import { isPointwise } from './ops-pointwise.js';
import { rowsOf } from './rows.js';
import type { Graph, Node, Output, Source } from './tracer.js';

/** Where a step finds an operand: bytes into the arena, or one of the addresses bound for the run. */
export type Location = { readonly arena: number } | { readonly bound: number };

export interface PlannedStep extends Step {
  readonly from: readonly (Location | null)[];
  readonly to: Location;
  /** Into the arena; `scratchStride` from one part's to the next one's. */
  readonly scratch: number;
  readonly scratchStride: number;
  /** The binding of the weight's panels; null: the step reads none. */
  readonly panels: number | null;
  /** The work may be done in so many parts, in any order, at once. */
  readonly parts: number;
  readonly activation: Activation | null;
}

export interface PlannedOutput extends Operand {
  readonly at: Location;
}

/** Cloned to workers as it is. */
export interface Plan {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly PlannedOutput[];
  readonly steps: readonly PlannedStep[];
  /**
   * What a run binds: the graph's stored tensors in order, then (from here) its inputs, the addresses for its bound
   * outputs, and the panels of `packed`.
   */
  readonly inputBinding: number;
  /** Stored tensors whose panels the steps read; a run binds 0 for those that there are none of. */
  readonly packed: readonly number[];
  /** All the memory that a run needs besides what it binds. */
  readonly arenaBytes: number;
  /** Estimated floating-point operations. */
  readonly cost: number;
  /** Row i of each output comes of row i of the only input alone, whatever other rows there are. */
  readonly rowwise: boolean;
}

/** Work of this many operations takes ten times as long as to share it between two workers (bench/dispatch). */
const PART_COST = 500_000;
const MAX_PARTS = 8;

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
export function makePlan(traced: Graph, kernels: Kernels): Plan {
  const { graph, targets } = withTargets(traced);
  const activations = fuse(graph);
  /** Whose bytes a value is. */
  const owner = (source: Source): Source => {
    let own = source;
    while (own.from === 'step') {
      const node = graph.nodes[own.index]!;
      if (opOf(node).bind && !activations.fused.has(own.index)) break;
      own = node.sources[0]!;
    }
    return own;
  };
  const lastReader = readers(graph, owner, activations.fused);

  const arena = new Arena();
  const places = new Map<number, { at: number; bytes: number }>();
  const inputBinding = graph.stored.length;
  const targetBinding = inputBinding + graph.inputs.length;
  const panelBinding = targetBinding + targets.size;
  /** Of steps that write where a bound output is wanted. */
  const bound = new Map([...targets].map(([output, i]) => [owner(output).index, targetBinding + i]));
  const locate = (source: Source): Location => {
    const { from, index } = owner(source);
    if (from !== 'step') return { bound: from === 'stored' ? index : inputBinding + index };
    const target = bound.get(index);
    return target === undefined ? { arena: places.get(index)!.at } : { bound: target };
  };
  const packed: number[] = [];
  const panelsOf = (source: Source | null | undefined): number | null => {
    if (source?.from !== 'stored' || !worthPacking(graph.stored[source.index]!.shape)) return null;
    const known = packed.indexOf(source.index);
    return panelBinding + (known >= 0 ? known : packed.push(source.index) - 1);
  };

  const steps: PlannedStep[] = [];
  let cost = 0;
  graph.nodes.forEach((node, index) => {
    const op = opOf(node);
    const { op: name, attributes, inputs, output, sources } = node;
    const work = op.cost?.(inputs, output, attributes) ?? 0;
    cost += work;
    if (!op.bind || activations.fused.has(index)) return;
    const from = sources.map((source) => source && locate(source));
    const wanted = Math.min(MAX_PARTS, Math.floor(work / PART_COST));
    const parts = wanted > 1 && op.parts ? op.parts(node, wanted) : 1;
    const bytes = byteLength(output.shape, output.dtype);
    const done = [...places.keys()].filter((value) => lastReader.get(value) === index);
    const target = bound.get(index);
    const first = sources[0] && owner(sources[0]);
    const replaced =
      op.inPlace &&
      target === undefined &&
      first?.from === 'step' &&
      done.includes(first.index) &&
      places.get(first.index)!.bytes === bytes
        ? first.index
        : undefined;
    const at =
      target !== undefined ? 0 : replaced === undefined ? arena.take(bytes) : places.get(replaced)!.at;
    const packs = op.packs?.(node) ?? false;
    const panels = packs ? panelsOf(sources[1]) : null;
    const each = aligned(op.scratch?.(node, kernels, parts) ?? 0);
    const apart = panels === null || op.ownScratch === true;
    const scratchBytes = apart ? parts * each : each;
    const scratch = arena.take(scratchBytes);
    arena.give(scratch, scratchBytes);
    for (const value of done) {
      const range = places.get(value)!;
      if (value !== replaced) arena.give(range.at, range.bytes);
      places.delete(value);
    }
    if (target === undefined) places.set(index, { at, bytes });
    const fused = activations.of.get(index) ?? null;
    steps.push({
      op: name,
      attributes,
      inputs,
      output,
      from,
      to: target === undefined ? { arena: at } : { bound: target },
      scratch,
      scratchStride: apart ? each : 0,
      panels,
      parts,
      activation: fused,
    });
  });
  return {
    inputs: graph.inputs,
    outputs: graph.outputs.map(({ shape, dtype, source }) => ({ shape, dtype, at: locate(source) })),
    steps,
    inputBinding,
    packed,
    arenaBytes: Math.max(arena.bytes, ALIGNMENT),
    cost,
    rowwise: isRowwise(graph),
  };
}

function isRowwise(graph: Graph): boolean {
  if (graph.inputs.length !== 1) return false;
  const has = rowsOf(graph);
  return (
    graph.outputs.every(({ source }) => has(source)) &&
    graph.nodes.every((node) => {
      const rows = node.sources.map(has);
      if (!rows.includes(true)) return true;
      const op = opOf(node);
      return (op.joins ?? rows.lastIndexOf(true) === 0) && op.rowwise(node.inputs, node.attributes, rows);
    })
  );
}

/**
 * Bound outputs as steps of their own: what is a view of an input or of something stored, or an output already, is copied.
 * `targets` are their sources, in order.
 */
function withTargets(graph: Graph): { graph: Graph; targets: ReadonlyMap<Source, number> } {
  const targets = new Map<Source, number>();
  if (!graph.outputs.some(({ bound }) => bound)) return { graph, targets };
  const nodes = [...graph.nodes];
  const taken = new Set<number>();
  /** The step whose bytes these are, if it is one. */
  const maker = (source: Source): number | undefined => {
    let own = source;
    while (own.from === 'step' && !opOf(nodes[own.index]!).bind) own = nodes[own.index]!.sources[0]!;
    return own.from === 'step' ? own.index : undefined;
  };
  for (const { bound, source } of graph.outputs) if (!bound) taken.add(maker(source) ?? -1);
  const outputs = graph.outputs.map((output): Output => {
    if (!output.bound) return output;
    const { shape, dtype } = output;
    let { source } = output;
    const made = maker(source);
    if (made === undefined || taken.has(made)) {
      const operand = { shape, dtype };
      const copy = { op: 'copy', attributes: {}, inputs: [operand], output: operand, sources: [source] };
      source = { from: 'step', index: nodes.push(copy as Node) - 1 };
    } else taken.add(made);
    targets.set(source, targets.size);
    return { ...output, source };
  });
  return { graph: { ...graph, nodes, outputs }, targets };
}

/** The last step that reads what each step made. Outputs are read to the end. */
function readers(
  graph: Graph,
  owner: (source: Source) => Source,
  fused: ReadonlySet<number>,
): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  graph.nodes.forEach((node, index) => {
    if (!opOf(node).bind || fused.has(index)) return;
    for (const source of node.sources) {
      const own = source && owner(source);
      if (own?.from === 'step') last.set(own.index, index);
    }
  });
  for (const { source } of graph.outputs) {
    const own = owner(source);
    if (own.from === 'step') last.delete(own.index);
  }
  return last;
}

/** Activations that the step before them can apply: nobody else reads what it made. `fused` are their own nodes. */
function fuse({ nodes, outputs }: Graph): {
  of: ReadonlyMap<number, Activation>;
  fused: ReadonlySet<number>;
} {
  const uses = new Map<number, number>();
  const use = (source: Source | null): void => {
    if (source?.from === 'step') uses.set(source.index, (uses.get(source.index) ?? 0) + 1);
  };
  for (const { sources } of nodes) sources.forEach(use);
  for (const { source } of outputs) use(source);
  const of = new Map<number, Activation>();
  const fused = new Set<number>();
  nodes.forEach(({ op, sources: [source], attributes }, index) => {
    if (!isPointwise(op) || source?.from !== 'step' || uses.get(source.index) !== 1) return;
    if (!opOf(nodes[source.index]!).activates) return;
    of.set(source.index, activation(op, attributes as OpAttributes[UnaryName]));
    fused.add(index);
  });
  return { of, fused };
}

function opOf(step: Step | Node): Op<OpName> {
  return OPS[step.op];
}
