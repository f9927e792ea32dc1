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
import type { Graph, Node, Source } from './tracer.js';

/** Where a step finds an operand: bytes into the arena, or one of the addresses bound for the run. */
export type Location = { readonly arena: number } | { readonly bound: number };

export interface PlannedStep extends Step {
  readonly from: readonly (Location | null)[];
  readonly to: number;
  /** Into the arena; `scratchStride` from one part's to the next one's. */
  readonly scratch: number;
  readonly scratchStride: number;
  /** The binding of the weight's panels; null: the step reads none. Without them its parts share their scratch. */
  readonly panels: number | null;
  /** The work may be done in so many parts, in any order, at once. */
  readonly parts: number;
  readonly activation: Activation | null;
}

/** Cloned to workers as it is. */
export interface Plan {
  readonly input: Operand;
  readonly output: Operand;
  readonly steps: readonly PlannedStep[];
  /** What a run binds: the graph's stored tensors in order, then the input, then the panels of `packed`. */
  readonly inputBinding: number;
  /** Stored tensors whose panels the steps read; a run binds 0 for those that there are none of. */
  readonly packed: readonly number[];
  readonly result: Location;
  /** All the memory that a run needs besides what it binds. */
  readonly arenaBytes: number;
  /** Estimated floating-point operations. */
  readonly cost: number;
  /** Row i of the output comes of row i of the input alone, whatever other rows there are. */
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
export function makePlan(graph: Graph, kernels: Kernels): Plan {
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
  const locate = (source: Source): Location => {
    const own = owner(source);
    if (own.from === 'stored') return { bound: own.index };
    return own.from === 'input' ? { bound: inputBinding } : { arena: places.get(own.index)!.at };
  };
  const packed: number[] = [];
  const panelsOf = (source: Source | null | undefined): number | null => {
    if (source?.from !== 'stored' || !worthPacking(graph.stored[source.index]!.shape)) return null;
    const known = packed.indexOf(source.index);
    return inputBinding + 1 + (known >= 0 ? known : packed.push(source.index) - 1);
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
    const first = sources[0] && owner(sources[0]);
    const replaced =
      op.inPlace && first?.from === 'step' && done.includes(first.index) ? first.index : undefined;
    const to = replaced === undefined ? arena.take(bytes) : places.get(replaced)!.at;
    const panels = op.packs ? panelsOf(sources[1]) : null;
    const each = aligned(op.scratch?.(node, kernels) ?? 0);
    const scratchBytes = panels === null ? parts * each : each;
    const scratch = arena.take(scratchBytes);
    arena.give(scratch, scratchBytes);
    for (const value of done) {
      const range = places.get(value)!;
      if (value !== replaced) arena.give(range.at, range.bytes);
      places.delete(value);
    }
    places.set(index, { at: to, bytes });
    const fused = activations.of.get(index) ?? null;
    steps.push({
      op: name,
      attributes,
      inputs,
      output,
      from,
      to,
      scratch,
      scratchStride: panels === null ? each : 0,
      panels,
      parts,
      activation: fused,
    });
  });
  const { shape, dtype } = graph.output;
  return {
    input: { shape: graph.input.shape, dtype: graph.input.dtype },
    output: { shape, dtype },
    steps,
    inputBinding,
    packed,
    result: locate(graph.output.source),
    arenaBytes: Math.max(arena.bytes, ALIGNMENT),
    cost,
    rowwise:
      owner(graph.output.source).from !== 'stored' &&
      graph.nodes.every((node) => opOf(node).rowwise(node.inputs, node.attributes)),
  };
}

/** The last step that reads what each step made. The result is read to the end. */
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
  const result = owner(graph.output.source);
  if (result.from === 'step') last.delete(result.index);
  return last;
}

/** Activations that the step before them can apply: nobody else reads what it made. `fused` are their own nodes. */
function fuse({ nodes, output }: Graph): { of: ReadonlyMap<number, Activation>; fused: ReadonlySet<number> } {
  const uses = new Map<number, number>();
  const use = (source: Source | null): void => {
    if (source?.from === 'step') uses.set(source.index, (uses.get(source.index) ?? 0) + 1);
  };
  for (const { sources } of nodes) sources.forEach(use);
  use(output.source);
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
