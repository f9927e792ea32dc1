// What a child may be called, in PyTorch's words where PyTorch has some.

import type { LayerDefinition } from './layer.js';
import { shown } from './options.js';

/** Longer ones are no names, and a tree's paths are as long as its names together. */
const MAX_NAME = 255;

/** What is wrong with a name for the child at `position` of a container; undefined: nothing. */
export function wrongChildName(
  container: NonNullable<LayerDefinition['container']>,
  name: string,
  position: number,
): string | undefined {
  if (name === '') return 'module name can\'t be empty string ""';
  if (name.includes('.')) return `module name can't contain ".", got: ${shown(name)}`;
  if (name.length > MAX_NAME) return `a module name has at most ${MAX_NAME} characters`;
  if (container === 'index' && name !== String(position)) return `a ModuleList names its children by position: "${position}"`;
  return undefined;
}
