// Reads an architecture (JSON) into a module tree, and tells what is drawn for it, in PyTorch's order of construction.
// Every fault is reported, not the first. What a client can make grow (blocks in blocks, shared in shared) is bounded
// before it is built. No string of a client's is looked up in a plain object.

import type { Fault } from '../errors.js';
import { byteLength, sameShape } from '../tensor/shape.js';
import { wrongChildName } from './child-names.js';
import { LAYERS, layerType, type LayerType } from './layers/table.js';
import { defaultInits, makeModule, type DefaultInit } from './make-module.js';
import { joinPath, type Module, type Parameter } from './module.js';
import { didYouMean, nearest } from './near-miss.js';
import { checkOptions, PythonFloat, shown } from './options.js';
import { excess, TreeSizes, type TreeLimits } from './tree-size.js';

export { defaultInits, type DefaultInit } from './make-module.js';
export type { TreeLimits } from './tree-size.js';

export interface ReadArchitecture {
  readonly root: Module;
  /**
   * Every parameter and buffer that was constructed, in that order. Those that a tie replaced are here too, though
   * they are not in the tree: PyTorch draws them before it lets go of them.
   */
  readonly drawn: readonly DefaultInit[];
}

/** More than anyone reads; the rest is left out. */
const MAX_FAULTS = 100;

/** Keys of a node that are no options. */
const STRUCTURE = ['type', 'name', 'children', 'tie'] as const;
/** Keys that stand in place of a type. */
const PLACEMENTS = ['block', 'shared', 'ref'] as const;

export function readArchitecture(json: unknown, limits: TreeLimits): ReadArchitecture | { faults: Fault[] } {
  const reader = new Reader(limits);
  const root = reader.read(json);
  return root && reader.faults.length === 0 ? { root, drawn: reader.drawn } : { faults: reader.faults };
}

type Node = ReadonlyMap<string, unknown>;

/** Where a node is: in the document, and in the tree that is being built. */
interface Place {
  /** The fault's path: `architecture.children[2]`. */
  readonly at: string;
  /** The module's dotted path; undefined inside a shared module, which stands nowhere yet. */
  readonly path: string | undefined;
  /** 1 at the root. */
  readonly depth: number;
  /** Blocks that are being expanded, the outermost first. */
  readonly blocks: readonly string[];
  /** Puts the module into its parent, so that later nodes can refer to it. */
  readonly attach: (module: Module) => void;
}

class Reader {
  readonly faults: Fault[] = [];
  readonly drawn: DefaultInit[] = [];
  private readonly limits: TreeLimits;
  private readonly sizes = new TreeSizes();
  private readonly reported = new Set<string>();
  private blocks = new Map<string, unknown>();
  private readonly shared = new Map<string, Module | undefined>();
  private laterShared = new Set<string>();
  private root: Module | undefined;
  /** Modules whose children are still being read. */
  private readonly open = new Set<Module>();
  /** Paths that have no module because of a fault already reported. */
  private readonly failed = new Set<string>();
  private constructed = 0;
  private exhausted = false;

  constructor(limits: TreeLimits) {
    this.limits = limits;
  }

  read(json: unknown): Module | undefined {
    const at = 'architecture';
    const node = this.node(json, at);
    if (!node) return undefined;
    this.blocks = this.definitions(node.get('blocks'), `${at}.blocks`);
    const shared = this.definitions(node.get('shared'), `${at}.shared`);
    this.laterShared = new Set(shared.keys());
    for (const [name, definition] of shared) {
      const place = { at: `${at}.shared${key(name)}`, path: undefined, depth: 1, blocks: [], attach: () => undefined };
      const module = this.module(definition, place);
      this.laterShared.delete(name);
      this.shared.set(name, module);
    }
    // The root's own `shared` is the table; a root that places a shared module says so in a child.
    const own = new Map([...node].filter(([name]) => name !== 'blocks' && name !== 'shared'));
    if (typeof node.get('shared') === 'string') own.set('shared', node.get('shared'));
    return this.place(own, { at, path: '', depth: 1, blocks: [], attach: (module) => void (this.root = module) });
  }

  private fault(path: string, message: string): undefined {
    const id = `${path}\n${message}`;
    // A block that is used twice has its faults once.
    if (this.faults.length >= MAX_FAULTS || this.reported.has(id)) return undefined;
    this.reported.add(id);
    this.faults.push({ path, message });
    return undefined;
  }

  private node(json: unknown, at: string): Node | undefined {
    if (isObject(json)) return new Map(Object.entries(json));
    return this.fault(at, `must be an object with a type, got ${shown(json)}`);
  }

  private definitions(json: unknown, at: string): Map<string, unknown> {
    if (json === undefined || typeof json === 'string') return new Map();
    if (isObject(json)) return new Map(Object.entries(json));
    this.fault(at, `must be an object of modules by name, got ${shown(json)}`);
    return new Map();
  }

  private module(json: unknown, place: Place): Module | undefined {
    if (this.exhausted) return undefined;
    const node = this.node(json, place.at);
    const module = node && this.place(node, place);
    if (!module && place.path !== undefined) this.failed.add(place.path);
    return module;
  }

  /** The module of a node that has a type, or that places one made elsewhere. */
  private place(given: Node, given_: Place): Module | undefined {
    let [node, place] = [given, given_];
    // A chain of blocks (a block that is another block) is followed here, not by recursion: it has no depth of its own.
    for (;;) {
      const kinds = PLACEMENTS.filter((kind) => node.has(kind));
      if (kinds.length === 0) return this.construct(node, place);
      const kind = kinds[0]!;
      if (kinds.length > 1 || node.has('type')) {
        return this.fault(place.at, `has ${[...(node.has('type') ? ['type'] : []), ...kinds].join(' and ')}: give one`);
      }
      for (const name of node.keys()) {
        if (name !== 'name' && name !== kind) {
          this.fault(`${place.at}${key(name)}`, `does not go with ${kind}: it belongs where the module is made`);
        }
      }
      const name = node.get(kind);
      const at = `${place.at}.${kind}`;
      if (typeof name !== 'string') return this.fault(at, `must be a string, got ${shown(name)}`);
      if (kind !== 'block') return this.again(kind === 'ref' ? this.referred(name, at) : this.named(name, at), place);
      if (!this.blocks.has(name)) return this.fault(at, `there is no block ${shown(name)}${didYouMean(name, this.blocks.keys())}`);
      if (place.blocks.includes(name)) {
        return this.fault(at, `a block cannot contain itself: ${[...place.blocks, name].join(' → ')}`);
      }
      const definedAt = `architecture.blocks${key(name)}`;
      const block = this.node(this.blocks.get(name), definedAt);
      if (!block) return undefined;
      if (block.has('name')) this.fault(`${definedAt}.name`, 'a block is named where it is used');
      node = block;
      place = { ...place, at: definedAt, blocks: [...place.blocks, name] };
    }
  }

  /** Places a module that exists already. */
  private again(module: Module | undefined, place: Place): Module | undefined {
    if (!module) return undefined;
    const { places, depth } = this.sizes.of(module);
    const wrong = excess({ places, depth: place.depth + depth - 1 }, this.limits);
    if (wrong !== undefined) return this.fault(place.at, wrong);
    place.attach(module);
    return module;
  }

  private named(name: string, at: string): Module | undefined {
    if (this.shared.has(name)) return this.shared.get(name);
    if (this.laterShared.has(name)) {
      return this.fault(at, `shared module ${shown(name)} is not made yet: they are made in order`);
    }
    return this.fault(at, `there is no shared module ${shown(name)}${didYouMean(name, this.shared.keys())}`);
  }

  /** The module that already stands at a path. */
  private referred(path: string, at: string): Module | undefined {
    const module = this.standing(path, at);
    if (!module) return undefined;
    if (this.open.has(module)) return this.fault(at, `a module cannot contain itself: ${shown(path)} is not complete here`);
    return module;
  }

  private standing(path: string, at: string): Module | undefined {
    let module = this.root;
    let walked = '';
    for (const name of path === '' ? [] : path.split('.')) {
      walked = joinPath(walked, name);
      module = module?.children.get(name);
      // What keeps it from standing there has been reported.
      if (!module && this.failed.has(walked)) return undefined;
    }
    return module ?? this.fault(at, `no module stands at ${shown(path)} before this one`);
  }

  private construct(node: Node, place: Place): Module | undefined {
    const { at, depth } = place;
    const wrong = excess({ places: this.constructed + 1, depth }, this.limits);
    if (wrong !== undefined) {
      this.exhausted = true;
      return this.fault(at, wrong);
    }
    this.constructed++;
    const type = this.type(node, at);
    if (!type) return undefined;
    const definition = LAYERS[type];
    const structural: readonly string[] = STRUCTURE;
    const given = new Map([...node].filter(([name]) => !structural.includes(name)));
    const { options, faults } = checkOptions({ type, definition }, given, at);
    for (const { path, message } of faults) this.fault(path, message);
    // With wrong options there is no module, but its children are read for their faults.
    const module = makeModule(type, faults.length === 0 ? options : {}, faults.length > 0);
    const sound = faults.length === 0 && this.sizesFit(module, at);
    if (sound) {
      this.drawn.push(...defaultInits(module));
      place.attach(module);
    }
    if (definition.container) this.children(node.get('children'), module, place);
    else if (node.has('children')) this.fault(`${at}.children`, `${type} has no children`);
    if (node.has('tie')) this.tie(node.get('tie'), module, place);
    return sound ? module : undefined;
  }

  private type(node: Node, at: string): LayerType | undefined {
    const given = node.get('type');
    if (typeof given === 'string') {
      const type = layerType(given);
      if (type) return type;
      return this.fault(`${at}.type`, `unknown layer type ${shown(given)}${didYouMean(given, Object.keys(LAYERS))}`);
    }
    if (given !== undefined) return this.fault(`${at}.type`, `must be a string, got ${shown(given)}`);
    const near = [...node.keys()].find((name) => nearest(name, ['type', ...PLACEMENTS]) !== undefined);
    if (near !== undefined) this.fault(`${at}${key(near)}`, `unknown field${didYouMean(near, ['type', ...PLACEMENTS])}`);
    return this.fault(at, 'needs a type (or block, shared, ref)');
  }

  private sizesFit(module: Module, at: string): boolean {
    for (const [name, parameter] of module.parameters) {
      try {
        if (parameter) byteLength(parameter.shape, parameter.dtype);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.fault(at, `${name}: ${error.message}`);
        return false;
      }
    }
    return true;
  }

  private children(json: unknown, module: Module, place: Place): void {
    const at = `${place.at}.children`;
    this.open.add(module);
    let places = 1;
    for (const { name, at: childAt, json: child } of this.listed(json, module.type, at)) {
      if (this.exhausted) break;
      const path = place.path === undefined ? undefined : joinPath(place.path, name);
      const attach = (made: Module): void => void module.children.set(name, made);
      const made = this.module(child, { at: childAt, path, depth: place.depth + 1, blocks: place.blocks, attach });
      places += made && !this.open.has(made) ? this.sizes.of(made).places : 1;
      const wrong = excess({ places, depth: place.depth }, this.limits);
      if (wrong === undefined) continue;
      this.exhausted = true;
      this.fault(childAt, wrong);
    }
    this.open.delete(module);
  }

  /** A container's children with their names: a list of nodes, or an object of them by name. */
  private listed(json: unknown, type: LayerType, at: string): { name: string; at: string; json: unknown }[] {
    const naming = LAYERS[type].container!;
    if (json === undefined) return [];
    if (naming === 'name' && isObject(json)) {
      const entries = Object.entries(json).map(([name, child]) => ({ name, at: `${at}${key(name)}`, json: child }));
      return entries.filter(({ name, at: childAt, json: child }) => {
        if (isObject(child) && Object.hasOwn(child, 'name')) this.fault(`${childAt}.name`, 'is named by its key already');
        const wrong = wrongChildName(naming, name, 0);
        if (wrong !== undefined) this.fault(childAt, wrong);
        return wrong === undefined;
      });
    }
    if (!Array.isArray(json)) {
      const wanted = naming === 'name' ? 'a list of modules with names, or an object of modules by name' : 'a list of modules';
      this.fault(at, `must be ${wanted}, got ${shown(json)}`);
      return [];
    }
    const taken = new Set<string>();
    return json.map((child: unknown, position) => {
      const childAt = `${at}[${position}]`;
      const given = isObject(child) && Object.hasOwn(child, 'name') ? (child as { name: unknown }).name : undefined;
      if (given === undefined && naming === 'name' && isObject(child)) this.fault(childAt, `needs a name, as children of a ${type} do`);
      if (given !== undefined && typeof given !== 'string') this.fault(`${childAt}.name`, `must be a string, got ${shown(given)}`);
      const name = typeof given === 'string' ? given : String(position);
      const wrong = wrongChildName(naming, name, position);
      if (wrong !== undefined) this.fault(`${childAt}.name`, wrong);
      else if (taken.has(name)) this.fault(`${childAt}.name`, `there are two children named ${shown(name)}`);
      taken.add(name);
      return { name, at: childAt, json: child };
    });
  }

  /** `net[4].weight = net[0].weight`, after both were constructed. */
  private tie(json: unknown, module: Module, place: Place): void {
    const at = `${place.at}.tie`;
    if (!isObject(json)) return this.fault(at, `must be an object of parameters' paths by name, got ${shown(json)}`);
    for (const [name, path] of Object.entries(json)) {
      const tieAt = `${at}${key(name)}`;
      const own = module.parameters.get(name);
      if (!own) {
        const names = [...module.parameters.keys()];
        if (Object.keys(module.options).length > 0 || names.length > 0 || !LAYERS[module.type].parameters) {
          this.fault(tieAt, `${module.type} has no parameter ${shown(name)}${didYouMean(name, names)}`);
        }
        continue;
      }
      if (typeof path !== 'string') {
        this.fault(tieAt, `must be a parameter's path, got ${shown(path)}`);
        continue;
      }
      const parameter = this.parameter(path, tieAt);
      const wrong = parameter && untieable(own, parameter, { name, path });
      if (wrong) this.fault(tieAt, wrong);
      else if (parameter) module.parameters.set(name, parameter);
    }
  }

  private parameter(path: string, at: string): Parameter | undefined {
    const dot = path.lastIndexOf('.');
    const owner = this.standing(path.slice(0, Math.max(dot, 0)), at);
    if (!owner) return undefined;
    const name = path.slice(dot + 1);
    const hint = didYouMean(name, owner.parameters.keys());
    return owner.parameters.get(name) ?? this.fault(at, `no parameter stands at ${shown(path)} before this one${hint}`);
  }
}

/** Why two parameters cannot be one; undefined: they can. */
function untieable(own: Parameter, other: Parameter, { name, path }: { name: string; path: string }): string | undefined {
  if (own.kind !== other.kind) return `${name} is a ${own.kind}, ${path} is a ${other.kind}`;
  if (sameShape(own.shape, other.shape) && own.dtype === other.dtype) return undefined;
  const [a, b] = [own, other].map(({ shape }) => `[${shape.join(', ')}]`);
  return `${name} has shape ${a}, ${path} has shape ${b}: tied parameters have one shape`;
}

function isObject(json: unknown): json is object {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof PythonFloat);
}

function key(name: string): string {
  return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 80))}]`;
}
