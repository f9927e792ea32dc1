// How large a tree is when it is written out: a module that stands at two places counts twice, as each of its names
// does. Walks over names cost this much, so limits are on it and not on the number of modules.

import type { Module } from './module.js';

export interface TreeLimits {
  /** Places of modules, the root's included. */
  readonly maxModules: number;
  /** Modules on the longest way from the root to a leaf. */
  readonly maxDepth: number;
}

export interface TreeSize {
  readonly places: number;
  readonly depth: number;
}

/** The sizes of trees and their subtrees, each module looked at once. A module must be complete when it is measured. */
export class TreeSizes {
  private readonly known = new Map<Module, TreeSize>();

  of(module: Module): TreeSize {
    const known = this.known.get(module);
    if (known) return known;
    // An op of a Graph costs what a module does.
    const ops = module.wiring?.nodes.filter(({ op }) => op).length ?? 0;
    let [places, depth] = [1 + ops, 1];
    for (const child of module.children.values()) {
      const size = this.of(child);
      places += size.places;
      depth = Math.max(depth, size.depth + 1);
    }
    const size = { places, depth };
    this.known.set(module, size);
    return size;
  }
}

/** What is too large about a tree, in words; undefined: nothing. */
export function excess(
  { places, depth }: TreeSize,
  { maxModules, maxDepth }: TreeLimits,
): string | undefined {
  if (depth > maxDepth) return `modules are nested deeper than ${maxDepth}`;
  if (places > maxModules)
    return `there are more than ${maxModules} modules (one at several places counts at each)`;
  return undefined;
}
