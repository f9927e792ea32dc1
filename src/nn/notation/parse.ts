// Reads a network as PyTorch's users write it: constructor calls, or what print(net) shows; it finds out which.
// Lines before the last may name values (`shared = nn.Linear(8, 8)`): a named module is made once, first, and is the
// same module wherever the name stands.

import type { Fault } from '../../errors.js';
import type { ArchitectureNode } from './construct.js';
import { ExpressionReader, isSymbol, unexpected } from './expression.js';
import { clipped, Faults, SyntaxFault } from './faults.js';
import { Lexer } from './lexer.js';
import { findLoops } from './loops.js';
import { isPrinted, parsePrinted } from './parse-print.js';
import type { Value } from './value.js';

export interface NotationLimits {
  /** What a print's `4 x`, or the rounds of comprehensions, may add up to. */
  readonly maxModules: number;
}

export type ParsedNotation = { architecture: ArchitectureNode } | { faults: Fault[] };

/**
 * The JSON architecture (`{type, ...options, children}`) that a text in PyTorch's notation means, in time linear in
 * the text (and what comprehensions repeat, within bounds); or everything wrong with it, each fault's path its line and column. Options are told apart, not judged.
 */
export function parseNotation(
  text: string,
  limits: NotationLimits = { maxModules: 100_000 },
): ParsedNotation {
  const faults = new Faults();
  let architecture: ArchitectureNode | undefined;
  try {
    architecture = isPrinted(text) ? parsePrinted(text, faults, limits) : parseProgram(text, faults, limits);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    faults.stop(error);
  }
  if (architecture === undefined && !faults.any) faults.add(0, 'there is no network in the text');
  return faults.any || architecture === undefined ? { faults: faults.positioned(text) } : { architecture };
}

function parseProgram(
  text: string,
  faults: Faults,
  { maxModules }: NotationLimits,
): ArchitectureNode | undefined {
  const lexer = new Lexer(text);
  const variables = new Map<string, Value>();
  const reader = new ExpressionReader(lexer, faults, { variables, loops: findLoops(text), maxModules });
  const shared = new Map<string, ArchitectureNode>();
  let last: { name: string | undefined; value: Value } | undefined;

  const settle = (): void => {
    if (last === undefined) return;
    const { name, value } = last;
    if (name !== undefined) variables.set(name, share(value, name, shared, faults));
    else if (value.is !== 'fault')
      faults.add(value.at, 'this value is not used; only the last line is the network');
    last = undefined;
  };

  for (;;) {
    const token = lexer.peek();
    if (token.kind === 'end') break;
    if (token.kind === 'line_end' || isSymbol(token, ';')) {
      lexer.take();
      continue;
    }
    if (token.kind === 'name' && (token.text === 'import' || token.text === 'from')) {
      while (lexer.peek().kind !== 'line_end' && lexer.peek().kind !== 'end') lexer.take();
      continue;
    }
    settle();
    let name: string | undefined;
    if (token.kind === 'name' && isSymbol(lexer.peek(1), '=')) {
      name = token.text;
      lexer.take();
      lexer.take();
    }
    last = { name, value: reader.expression() };
    const next = lexer.peek();
    if (next.kind !== 'line_end' && next.kind !== 'end' && !isSymbol(next, ';')) {
      throw unexpected(next, 'the end of the line');
    }
  }
  return last === undefined ? undefined : rootOf(last.value, shared, faults);
}

/** The value behind a name: modules in it move into `shared`, references stay. */
function share(value: Value, name: string, shared: Map<string, ArchitectureNode>, faults: Faults): Value {
  if (value.is === 'module' && !isReference(value.node)) {
    if (shared.has(name)) faults.add(value.at, `${clipped(name)} already names another module`);
    shared.set(name, value.node);
    return { ...value, node: { shared: name } };
  }
  if (value.is === 'sequence') {
    return {
      ...value,
      items: value.items.map((item, index) => share(item, `${name}[${index}]`, shared, faults)),
    };
  }
  if (value.is === 'dict') {
    const pairs = value.pairs.map(({ key, value: of }, index) => {
      return { key, value: share(of, `${name}[${index}]`, shared, faults) };
    });
    return { ...value, pairs };
  }
  return value;
}

function rootOf(
  value: Value,
  shared: Map<string, ArchitectureNode>,
  faults: Faults,
): ArchitectureNode | undefined {
  if (value.is === 'fault') return undefined;
  if (value.is !== 'module') {
    faults.add(value.at, 'the last line is not a network');
    return undefined;
  }
  let root = value.node;
  if (isReference(root)) {
    // `net = ...` and then `net`: made last, so nothing else can hold it.
    const name = root.shared as string;
    const made = shared.get(name);
    if (made === undefined || [...shared.keys()].at(-1) !== name) {
      faults.add(value.at, 'the network is made before other modules; make it on the last line');
      return undefined;
    }
    shared.delete(name);
    root = made;
  }
  return shared.size === 0 ? root : { ...root, shared: Object.fromEntries(shared) };
}

function isReference(node: ArchitectureNode): boolean {
  return 'shared' in node;
}
