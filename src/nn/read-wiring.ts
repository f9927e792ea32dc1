// Reads what a Graph's JSON says of its nodes. Names that lead nowhere, cycles, numbers of inputs that do not fit and
// what nothing reads are reported where they stand in the document.

import { isObject, wrongChildName } from './children.js';
import { NODE_OPS, isNodeOp } from './layers/node-ops.js';
import { LAYERS } from './layers/table.js';
import type { LayerDefinition } from './layer.js';
import type { Module } from './module.js';
import { didYouMean } from './near-miss.js';
import { checkOptions, pathKey, shown } from './options.js';
import { inputsFault, outputNames } from './signature.js';
import type { NodeOp, WiredNode, Wiring } from './wiring.js';

type Report = (path: string, message: string) => void;
type Json = ReadonlyMap<string, unknown>;

/** Names on either side of a Graph, and what one node reads: more than anybody writes down. */
const MAX_NAMES = 256;

/** Keys of a Graph that are no options of a layer. */
export const WIRING_KEYS: readonly string[] = ['inputs', 'nodes', 'outputs'];

export interface ListedNode {
  readonly name: string;
  /** Where it stands in the document. */
  readonly at: string;
  readonly inputs: readonly string[];
  readonly op: NodeOp | null;
  /** Of a node that is a module. */
  readonly json: unknown;
}

/** The nodes in the order of their list; those with something wrong about them are not among them. */
export function listNodes(json: unknown, at: string, report: Report): ListedNode[] {
  if (!Array.isArray(json)) {
    report(at, `must be a list of nodes, got ${shown(json)}`);
    return [];
  }
  return json.flatMap((node: unknown, i) => readNode(node, `${at}[${i}]`, report) ?? []);
}

function readNode(json: unknown, at: string, report: Report): ListedNode | undefined {
  if (!isObject(json)) {
    report(at, `must be an object with a name, a module or an op, and inputs, got ${shown(json)}`);
    return undefined;
  }
  const { name, op, module, inputs, ...others } = json;
  const wrong =
    typeof name === 'string' ? wrongChildName('name', name, 0) : `must be a string, got ${shown(name)}`;
  if (wrong !== undefined) report(`${at}.name`, wrong);
  const read = readNames(inputs, `${at}.inputs`, report);
  if ((op === undefined) === (module === undefined)) {
    report(at, op === undefined ? 'needs a module or an op' : 'has a module and an op: give one');
    return undefined;
  }
  if (module !== undefined) {
    if (isObject(module) && Object.hasOwn(module, 'name'))
      report(`${at}.module.name`, 'is the name of its node');
    for (const key of Object.keys(others).slice(0, MAX_NAMES)) {
      report(`${at}${pathKey(key)}`, 'does not go with a module: its options stand in it');
    }
    return wrong === undefined && read
      ? { name: name as string, at, inputs: read, op: null, json: module }
      : undefined;
  }
  const made = readOp(op, new Map(Object.entries(others)), at, report);
  if (wrong !== undefined || !read || !made) return undefined;
  return { name: name as string, at, inputs: read, op: made, json: undefined };
}

function readOp(name: unknown, given: Json, at: string, report: Report): NodeOp | undefined {
  if (typeof name !== 'string' || !isNodeOp(name)) {
    const hint = typeof name === 'string' ? didYouMean(name, Object.keys(NODE_OPS)) : '';
    report(
      `${at}.op`,
      typeof name === 'string' ? `unknown op ${shown(name)}${hint}` : `must be a string, got ${shown(name)}`,
    );
    return undefined;
  }
  const definition: Pick<LayerDefinition, 'options'> = NODE_OPS[name];
  const { options, faults } = checkOptions({ type: name, definition }, given, at);
  for (const { path, message } of faults) report(path, message);
  return faults.length === 0 ? { name, options } : undefined;
}

/** A list of names, or one. */
export function readNames(json: unknown, at: string, report: Report): readonly string[] | undefined {
  const names = typeof json === 'string' ? [json] : json;
  if (Array.isArray(names) && names.length > 0 && names.length <= MAX_NAMES) {
    const odd = names.findIndex((name) => typeof name !== 'string');
    if (odd < 0) return names as string[];
    report(`${at}[${odd}]`, `must be a string, got ${shown(names[odd])}`);
    return undefined;
  }
  report(at, `must be a list of 1 to ${MAX_NAMES} names, got ${shown(json)}`);
  return undefined;
}

/** What is known of a Graph's node list by name. */
interface Listed {
  readonly inputs: readonly string[];
  readonly nodes: readonly ListedNode[];
  readonly outputs: readonly string[];
  /** The module of a node; undefined where it could not be read. */
  readonly child: (name: string) => Module | undefined;
}

/** An input is given as a field of an object. */
function wrongInputName(name: string): string | undefined {
  return name === '__proto__'
    ? 'no JSON object has a field of that name here'
    : wrongChildName('name', name, 0);
}

/** The wiring, where nothing is wrong with it. `at` is the Graph's own path. */
export function wire(
  { inputs, nodes, outputs, child }: Listed,
  at: string,
  report: Report,
): Wiring | undefined {
  let sound = true;
  const fault: Report = (path, message) => {
    sound = false;
    report(path, message);
  };
  inputs.forEach((name, i) => {
    const wrong =
      inputs.indexOf(name) < i ? `there are two inputs named ${shown(name)}` : wrongInputName(name);
    if (wrong !== undefined) fault(`${at}.inputs[${i}]`, wrong);
  });
  const byName = new Map<string, ListedNode>();
  for (const node of nodes) {
    if (byName.has(node.name)) fault(`${node.at}.name`, `there are two nodes named ${shown(node.name)}`);
    if (inputs.includes(node.name))
      fault(`${node.at}.name`, `${shown(node.name)} is an input of the Graph already`);
    byName.set(node.name, node);
  }
  const known = new Set([...inputs, ...byName.keys()]);
  const read = new Set<string>(outputs);
  const resolve = (name: string, path: string): void => {
    if (!known.has(name)) fault(path, `there is no input or node ${shown(name)}${didYouMean(name, known)}`);
  };
  for (const node of nodes) {
    node.inputs.forEach((name, i) => {
      resolve(name, `${node.at}.inputs[${i}]`);
      read.add(name);
    });
    const wrong = node.op
      ? opInputsFault(node.op, node.inputs.length)
      : moduleFault(child(node.name), node.inputs.length);
    if (wrong !== undefined) fault(`${node.at}.inputs`, wrong);
  }
  outputs.forEach((name, i) => {
    resolve(name, `${at}.outputs[${i}]`);
    if (outputs.indexOf(name) < i) fault(`${at}.outputs[${i}]`, `${shown(name)} is an output already`);
  });
  inputs.forEach((name, i) => {
    if (!read.has(name)) fault(`${at}.inputs[${i}]`, `nothing reads the input ${shown(name)}`);
  });
  for (const { name, at: where } of nodes)
    if (!read.has(name)) fault(where, `nothing reads the node ${shown(name)}`);
  const wired = nodes.map(({ name, inputs: from, op }): WiredNode => ({ name, inputs: from, op }));
  const order = sorted(wired.filter(({ name }) => !inputs.includes(name)));
  if ('cycle' in order) {
    const [first] = order.cycle;
    report(
      byName.get(first!)!.at,
      `a node cannot read itself: ${[...order.cycle].reverse().map(String).join(' → ')}`,
    );
    return undefined;
  }
  if (!sound) return undefined;
  return { inputs, nodes: wired, outputs, order: order.nodes };
}

function opInputsFault({ name }: NodeOp, count: number): string | undefined {
  const { minimum, maximum } = NODE_OPS[name].inputs;
  if (count >= minimum && count <= (maximum ?? Infinity)) return undefined;
  const takes = minimum === maximum ? String(minimum) : `${minimum} or more`;
  return `${name} takes ${takes} input${minimum === 1 && maximum === 1 ? '' : 's'}, got ${count}`;
}

function moduleFault(module: Module | undefined, count: number): string | undefined {
  // A Graph in which something is wrong has no wiring: that has been reported.
  const unread = module !== undefined && LAYERS[module.type].wired === true && !module.wiring;
  if (!module || unread) return undefined;
  const outputs = outputNames(module);
  if (outputs)
    return `${module.type} gives ${outputs.length} outputs (${outputs.join(', ')}), a node gives one`;
  return inputsFault(module, count);
}

/** Each node behind those that it reads, in their list's order where that leaves a choice; or the names of a cycle. */
function sorted(nodes: readonly WiredNode[]): { nodes: WiredNode[] } | { cycle: string[] } {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const placed: WiredNode[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const root of nodes) {
    // Nodes on the way, each with how many of its inputs have been followed: no recursion, whatever the depth.
    const way: { node: WiredNode; next: number }[] = [];
    const enter = (name: string): void => {
      const node = byName.get(name);
      if (!node || state.get(name) === 'done') return;
      state.set(name, 'open');
      way.push({ node, next: 0 });
    };
    enter(root.name);
    while (way.length > 0) {
      const top = way.at(-1)!;
      const name = top.node.inputs[top.next++];
      if (name === undefined) {
        state.set(top.node.name, 'done');
        placed.push(top.node);
        way.pop();
      } else if (state.get(name) === 'open') {
        const names = way.map(({ node }) => node.name);
        return { cycle: [...names.slice(names.indexOf(name)), name] };
      } else enter(name);
    }
  }
  return { nodes: placed };
}
