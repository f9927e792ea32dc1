// Reads what print(net) shows. Structure comes from the lines' own brackets, not from their indentation, which is often
// lost on the way. A child's name may hold anything but a line end, brackets and colons included.

import {
  assemble,
  clipped,
  isContainer,
  isLayerType,
  unknownLayer,
  MAX_DEPTH,
  type Argument,
  type ArchitectureNode,
  type Child,
} from './construct.js';
import { ExpressionReader } from './expression.js';
import { SyntaxFault, type Faults } from './faults.js';
import { Lexer } from './lexer.js';
import type { NotationLimits } from './parse.js';
import type { Value } from './value.js';

const HEAD = /(?:(\d+) x )?([A-Za-z_]\w*)\(/y;
const RANGE = /^(\d+)-(\d+)$/;
const CHILD_LINE = /^\([^\n]*\): (?:\d+ x )?[A-Za-z_]\w*\(/;
const SPACES = ' \t\r\f\uFEFF';

/** A module whose lines are being read. */
interface Frame {
  readonly head: Head;
  readonly args: Argument[];
  readonly children: Child[];
  modules: number;
}

interface Head {
  readonly at: number;
  /** undefined: the root's. */
  readonly key: { readonly at: number; readonly text: string } | undefined;
  readonly count: number | undefined;
  readonly typeAt: number;
  readonly type: string;
  readonly argsAt: number;
}

interface Line {
  readonly start: number;
  readonly end: number;
}

/** Whether a text is print(net)'s rather than a constructor's call. */
export function isPrinted(text: string): boolean {
  const lines = linesOf(text);
  const first = lines.next().value;
  const second = lines.next().value;
  if (first === undefined) return false;
  const head = text.slice(first.start, first.end);
  if (second !== undefined)
    return /^[A-Za-z_]\w*\($/.test(head) && CHILD_LINE.test(text.slice(second.start, second.end));
  return /^[A-Za-z_]\w*\(/.test(head) && (head.match(/\w\(/g) ?? []).length === 1 && head.endsWith(')');
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
    else
      for (let i = 0; i < times; i++)
        parent.children.push({ at, name: String(parent.children.length), value });
  };

  for (const line of linesOf(text)) {
    const top = open.at(-1);
    if (root !== undefined) throw new SyntaxFault(line.start, 'the network has ended, but the text goes on');
    if (top !== undefined && line.end - line.start === 1 && text.charAt(line.start) === ')') {
      open.pop();
      place(top.head, close(top, faults), top.modules);
      continue;
    }
    const head = top === undefined ? headAt(text, line, line.start, undefined) : childHead(text, line);
    if (head === undefined) {
      if (top === undefined) throw new SyntaxFault(line.start, 'expected a layer: Type(...)');
      if (top.children.length > 0)
        throw new SyntaxFault(line.start, 'expected a child, "(name): Type(...)", or ")"');
      // A container's own options stand on lines before its children.
      top.args.push(...argumentsIn(text, line.start, line.end, faults));
      continue;
    }
    if (head.argsAt === line.end) {
      open.push({ head, args: [], children: [], modules: 1 });
      // Deeper levels than MAX_DEPTH are refused with the rest of what is wrong; these would only cost time.
      if (open.length > 2 * MAX_DEPTH)
        throw new SyntaxFault(line.start, `modules are nested deeper than ${MAX_DEPTH}`);
    } else if (text.charAt(line.end - 1) === ')') {
      place(head, leaf(head, argumentsIn(text, head.argsAt, line.end - 1, faults), faults), 1);
    } else {
      throw new SyntaxFault(line.end, 'expected ")" at the end of the line');
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined)
    throw new SyntaxFault(text.length, `")" is missing: ${clipped(unclosed.head.type)}( is still open`);
  return root?.is === 'module' ? root.node : undefined;
}

function leaf({ type, typeAt }: Head, args: readonly Argument[], faults: Faults): Value {
  if (isLayerType(type)) return assemble(type, typeAt, args, isContainer(type) ? [] : undefined, faults);
  faults.add(typeAt, unknownLayer(type));
  return { is: 'fault', at: typeAt };
}

function close({ head: { type, typeAt }, args, children }: Frame, faults: Faults): Value {
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

/** `(key): Type(`: the last `): ` that a head follows, for a key may hold one as well. */
function childHead(text: string, line: Line): Head | undefined {
  const lineText = text.slice(line.start, line.end);
  if (!lineText.startsWith('(')) return undefined;
  for (let split = lineText.length; (split = lineText.lastIndexOf('): ', split - 1)) > 0;) {
    const key = { at: line.start + 1, text: lineText.slice(1, split) };
    const head = headAt(text, line, line.start + split + 3, key);
    if (head !== undefined) return head;
  }
  return undefined;
}

function headAt(text: string, line: Line, at: number, key: Head['key']): Head | undefined {
  HEAD.lastIndex = at;
  const found = HEAD.exec(text);
  if (found === null || HEAD.lastIndex > line.end) return undefined;
  const type = found[2] ?? '';
  const argsAt = at + found[0].length;
  const count = found[1] === undefined ? undefined : Number(found[1]);
  return { at, key, count, typeAt: argsAt - 1 - type.length, type, argsAt };
}

/** Lines that hold something, without the space around them. */
function* linesOf(text: string): Generator<Line, undefined> {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf('\n', start);
    let end = found === -1 ? text.length : found;
    const next = end + 1;
    while (start < end && SPACES.includes(text.charAt(start))) start++;
    while (end > start && SPACES.includes(text.charAt(end - 1))) end--;
    if (end > start) yield { start, end };
    start = next;
  }
  return undefined;
}
