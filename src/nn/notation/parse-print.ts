// Reads what print(net) shows. Structure comes from the lines' own brackets, not from their indentation, which is often
// lost on the way.

import { LAYERS } from '../layers/table.js';
import {
  assemble,
  isContainer,
  isLayerType,
  onlyJson,
  unknownLayer,
  MAX_DEPTH,
  type Argument,
  type ArchitectureNode,
  type Child,
} from './construct.js';
import { ExpressionReader } from './expression.js';
import { clipped, SyntaxFault, type Faults } from './faults.js';
import { Lexer } from './lexer.js';
import type { NotationLimits } from './parse.js';
import { childHead, filledLineAt, rootHead, type Head, type Line } from './print-lines.js';
import type { Value } from './value.js';

const RANGE = /^(\d+)-(\d+)$/;

/** A module whose lines are being read. */
interface Frame {
  readonly head: Head;
  /** A container's own options: on a line before its children. */
  args: readonly Argument[] | undefined;
  readonly children: Child[];
  modules: number;
}

/** Whether a text is print(net)'s rather than a constructor's call. */
export function isPrinted(text: string): boolean {
  const first = filledLineAt(text, 0);
  if (first === undefined) return false;
  const head = text.slice(first.start, first.end);
  const second = filledLineAt(text, first.to + 1);
  if (second !== undefined) {
    if (!/^[A-Za-z_]\w*\($/.test(head)) return false;
    const type = head.slice(0, -1);
    const wired = isLayerType(type) && LAYERS[type].wired === true;
    return wired || childHead(text, second) !== undefined || isOptions(text, second, type);
  }
  return /^[A-Za-z_]\w*\(/.test(head) && (head.match(/\w\(/g) ?? []).length === 1 && head.endsWith(')');
}

/** A line of options, in the print of a container that has some. */
function isOptions(text: string, { start, end }: Line, type: string): boolean {
  const optional = isLayerType(type) && isContainer(type) && LAYERS[type].options.length > 0;
  return optional && /^[a-z_]+=/.test(text.slice(start, end));
}

export function parsePrinted(
  text: string,
  faults: Faults,
  limits: NotationLimits,
): ArchitectureNode | undefined {
  const open: Frame[] = [];
  let root: Value | undefined;

  const place = (head: Head, value: Value, modules: number): void => {
    const parent = open.at(-1);
    if (parent === undefined) {
      root = value;
      return;
    }
    const times = timesOf(head, parent, faults);
    parent.modules += modules * times;
    if (parent.modules > limits.maxModules) {
      throw new SyntaxFault(head.at, `the network has more than ${limits.maxModules} modules`);
    }
    const at = head.key?.at ?? head.at;
    if (times === 1) parent.children.push({ at, name: head.key?.text ?? '', value });
    else {
      for (let i = 0; i < times; i++)
        parent.children.push({ at, name: String(parent.children.length), value });
    }
  };

  for (let next = filledLineAt(text, 0); next !== undefined;) {
    const line: Line = next;
    next = filledLineAt(text, line.to + 1);
    const top = open.at(-1);
    if (root !== undefined) throw new SyntaxFault(line.start, 'the network has ended, but the text goes on');
    if (top !== undefined && line.end - line.start === 1 && text.charAt(line.start) === ')') {
      open.pop();
      place(top.head, close(top, faults), top.modules);
      continue;
    }
    if (top?.args === undefined && top?.children.length === 0 && isOptions(text, line, top.head.type)) {
      top.args = argumentsIn(text, line.start, line.end, faults);
      continue;
    }
    const found = top === undefined ? rootHead(text, line) : childHead(text, line);
    if (found === undefined) {
      const expected = top === undefined ? 'a layer: Type(...)' : 'a child, "(name): Type(...)", or ")"';
      throw new SyntaxFault(line.start, `expected ${expected}`);
    }
    const { head, line: last } = found;
    next = filledLineAt(text, last.to + 1);
    if (isLayerType(head.type) && LAYERS[head.type].wired)
      throw new SyntaxFault(head.typeAt, onlyJson(head.type));
    if (head.argsAt === last.end) {
      open.push({ head, args: undefined, children: [], modules: 1 });
      // Deeper levels than MAX_DEPTH are refused with the rest of what is wrong; these would only cost time.
      if (open.length > 2 * MAX_DEPTH)
        throw new SyntaxFault(line.start, `modules are nested deeper than ${MAX_DEPTH}`);
    } else if (text.charAt(last.end - 1) === ')') {
      place(head, leaf(head, argumentsIn(text, head.argsAt, last.end - 1, faults), faults), 1);
    } else {
      throw new SyntaxFault(last.end, 'expected ")" at the end of the line');
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined)
    throw new SyntaxFault(text.length, `")" is missing: ${clipped(unclosed.head.type)}( is still open`);
  return root?.is === 'module' ? root.node : undefined;
}

function leaf({ type, typeAt }: Head, args: readonly Argument[], faults: Faults): Value {
  if (isLayerType(type)) {
    const shown = LAYERS[type].shows ?? [];
    const own = args.filter(({ keyword = '' }) => !shown.includes(keyword));
    return assemble(type, typeAt, own, isContainer(type) ? [] : undefined, faults);
  }
  faults.add(typeAt, unknownLayer(type));
  return { is: 'fault', at: typeAt };
}

function close({ head: { type, typeAt }, args = [], children }: Frame, faults: Faults): Value {
  if (isLayerType(type) && isContainer(type)) return assemble(type, typeAt, args, children, faults);
  faults.add(
    typeAt,
    isLayerType(type)
      ? `${type} prints its parts, not its arguments; write its constructor`
      : unknownLayer(type),
  );
  return { is: 'fault', at: typeAt };
}

/** How often a child stands in its parent: ModuleList writes equal neighbours as `(0-3): 4 x`. */
function timesOf({ at, key, count, typeAt }: Head, parent: Frame, faults: Faults): number {
  if (count === undefined) return 1;
  const range = parent.head.type === 'ModuleList' ? RANGE.exec(key?.text ?? '') : null;
  if (range === null) {
    faults.add(typeAt, 'repeated children are written (first-last): count x, in a ModuleList');
    return 1;
  }
  const [first, last] = [Number(range[1]), Number(range[2])];
  if (first !== parent.children.length || last - first + 1 !== count) {
    const next = parent.children.length;
    faults.add(at, `(${first}-${last}): ${count} x does not add up: the next child is ${next}`);
    return 1;
  }
  return count;
}

function argumentsIn(text: string, start: number, end: number, faults: Faults): Argument[] {
  const reader = new ExpressionReader(new Lexer(text, start, end), faults, {
    variables: new Map(),
    bareWords: true,
  });
  return reader.arguments(undefined);
}
