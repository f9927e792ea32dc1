// Mistakes in extents that a chain of layers shows before any input is seen: a Linear(8, 1) after a Linear(4, 6).
// What is not known is not guessed: a Flatten, or a new rank, ends what was known.

import type { LayerDefinition } from './layer.js';
import { LAYERS } from './layers/table.js';
import { joinPath, type Module } from './module.js';

/** What is known of the value that flows: extents by axis (-1 is the last), and which layer it comes from. */
interface Known {
  readonly extents: ReadonlyMap<number, number>;
  readonly from: string;
}

const NOTHING: Known = { extents: new Map(), from: '' };

/** One sentence for each mistake, in the order of the forward. */
export function featureWarnings(root: Module): string[] {
  const warnings: string[] = [];
  /** What is known of the output, given what is known of the input. */
  const visit = (module: Module, path: string, before: Known): Known => {
    const definition = LAYERS[module.type];
    if (!definition.container) return flow(module, path, before, warnings);
    if (definition.trace) {
      let known = before;
      for (const [name, child] of module.children) {
        known = visit(child, joinPath(path, name), givenTo(definition.branches, before, known));
      }
      return definition.branches ? NOTHING : known;
    }
    // Without a forward of its own, each child is a chain by itself.
    for (const [name, child] of module.children) visit(child, joinPath(path, name), NOTHING);
    return NOTHING;
  };
  visit(root, '', NOTHING);
  return warnings;
}

function givenTo(branches: LayerDefinition['branches'], before: Known, previous: Known): Known {
  if (branches === 'same') return before;
  return branches === 'unknown' ? NOTHING : previous;
}

function flow({ type, options }: Module, path: string, { extents, from }: Known, warnings: string[]): Known {
  const { takes, changes, gives } = LAYERS[type].flow?.(options) ?? { changes: Infinity };
  const axis = takes?.axes.find((candidate) => extents.has(candidate));
  if (takes && axis !== undefined && extents.get(axis) !== takes.extent) {
    warnings.push(
      `layer ${path} (${type}) takes ${takes.extent} ${takes.of}, layer ${from} gives ${extents.get(axis)}`,
    );
  }
  const after = new Map([...extents].filter(([known]) => known < -changes));
  if (gives) after.set(gives.axis, gives.extent);
  return { extents: after, from: path };
}
