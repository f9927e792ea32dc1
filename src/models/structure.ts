// A module tree with its names looked up once: which names lead to which storage, in PyTorch's order.

import { ownerOf, type Storage } from './companion.js';
import { isLazy } from '../nn/lazy.js';
import { everyName, type Module, type Named, type Parameter } from '../nn/module.js';

export class Structure {
  readonly root: Module;
  /** Whether parameters have no shape yet. */
  readonly lazy: boolean;
  /** state_dict's names: each name of each parameter and buffer. */
  readonly names: readonly Named<Parameter>[];
  /** The names of each storage; the first is its path, the others its aliases. */
  readonly namesOf: ReadonlyMap<Parameter, readonly string[]>;

  constructor(root: Module) {
    this.root = root;
    this.lazy = isLazy(root);
    this.names = everyName(root);
    const namesOf = new Map<Parameter, string[]>();
    for (const { path, value } of this.names) {
      const names = namesOf.get(value);
      if (names) names.push(path);
      else namesOf.set(value, [path]);
    }
    this.namesOf = namesOf;
  }

  /** `path` is the first name of the storage's parameter, `aliases` its others; `field` names a companion. */
  identify(storage: Storage): { path: string; aliases: string[]; field?: string } {
    const [path, ...aliases] = this.namesOf.get(ownerOf(storage))!;
    return { path: path!, aliases, ...(storage.kind === 'companion' && { field: storage.name }) };
  }
}
