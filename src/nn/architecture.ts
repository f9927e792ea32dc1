// Reads an architecture (JSON) into a module tree, and tells what is drawn for it, in PyTorch's order of construction.
// Every fault is reported, not the first. What a client can make grow (blocks in blocks, shared in shared) is bounded
// before it is built. No string of a client's is looked up in a plain object.

import type { Fault } from '../errors.js';
import { byteLength, sameShape } from '../tensor/shape.js';
import { isObject, listChildren, reordered, type ListedChild } from './children.js';
import { LAYERS, layerType, type LayerType } from './layers/table.js';
import type { OptionDefinition } from './layer.js';
import { uninitialized } from './lazy.js';
import { constructionInits, copyModule, makeModule, type DefaultInit } from './make-module.js';
import { everyName, joinPath, type Module, type Parameter } from './module.js';
import { didYouMean, nearest } from './near-miss.js';
import { checkOptions, MAX_FAULTS, pathKey, shown } from './options.js';
import { listNodes, readNames, wire, WIRING_KEYS } from './read-wiring.js';
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

/** More than any constructor has arguments, and few enough to suggest something for each. */
const MAX_FIELDS = 200;

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
  /** Nothing more is read: no room for modules, or none for faults. */
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
      const definedAt = `${at}.shared${pathKey(name)}`;
      if (shared.size > 1 && reordered(name))
        this.fault(definedAt, 'a number is no name here: JSON objects do not keep its place in the order');
      if (isObject(definition)) this.unnamed(new Map(Object.entries(definition)), definedAt);
      const place = { at: definedAt, path: undefined, depth: 1, blocks: [], attach: () => undefined };
      const module = this.module(definition, place);
      this.laterShared.delete(name);
      this.shared.set(name, module);
    }
    const own = new Map([...node].filter(([name]) => name !== 'blocks' && name !== 'shared'));
    this.unnamed(own, at);
    return this.place(own, {
      at,
      path: '',
      depth: 1,
      blocks: [],
      attach: (module) => void (this.root = module),
    });
  }

  private fault(path: string, message: string | (() => string)): undefined {
    if (this.faults.length >= MAX_FAULTS) return undefined;
    const fault = { path, message: typeof message === 'string' ? message : message() };
    const id = JSON.stringify(fault);
    // A block that is used twice has its faults once.
    if (!this.reported.has(id)) this.faults.push(fault);
    this.reported.add(id);
    this.exhausted ||= this.faults.length >= MAX_FAULTS;
    return undefined;
  }

  private unnamed(node: Node, at: string): void {
    if (node.has('name')) this.fault(`${at}.name`, 'only the child of a container has a name');
  }

  private node(json: unknown, at: string): Node | undefined {
    if (isObject(json)) {
      const entries = Object.entries(json);
      if (entries.length <= MAX_FIELDS) return new Map(entries);
      return this.fault(at, `has ${entries.length} fields: no module takes as many`);
    }
    return this.fault(at, `must be an object with a type, got ${shown(json)}`);
  }

  private definitions(json: unknown, at: string): Map<string, unknown> {
    if (json === undefined) return new Map();
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
  private place(node: Node, place: Place): Module | undefined {
    const kinds = PLACEMENTS.filter((kind) => node.has(kind));
    const [kind] = kinds;
    if (!kind) return this.construct(node, place);
    if (kinds.length > 1 || node.has('type')) {
      const all = [...(node.has('type') ? ['type'] : []), ...kinds];
      return this.fault(place.at, `has ${all.join(' and ')}: give one`);
    }
    for (const name of node.keys()) {
      if (name === 'name' || name === kind) continue;
      if (this.exhausted) break;
      const message = `does not go with ${kind}: it belongs where the module is made`;
      this.fault(`${place.at}${pathKey(name)}`, message);
    }
    const name = node.get(kind);
    const at = `${place.at}.${kind}`;
    if (typeof name !== 'string') return this.fault(at, `must be a string, got ${shown(name)}`);
    if (kind === 'block') return this.expand(name, at, place);
    return this.again(kind === 'ref' ? this.referred(name, at) : this.named(name, at), place);
  }

  /** A new instance of a block. */
  private expand(name: string, at: string, place: Place): Module | undefined {
    const { blocks } = place;
    if (!this.blocks.has(name)) {
      return this.fault(at, () => `there is no block ${shown(name)}${didYouMean(name, this.blocks.keys())}`);
    }
    if (blocks.includes(name)) {
      return this.fault(at, `a block cannot contain itself: ${[...blocks, name].join(' → ')}`);
    }
    if (blocks.length >= this.limits.maxDepth) {
      return this.fault(at, `blocks are nested deeper than ${this.limits.maxDepth}`);
    }
    const definedAt = `architecture.blocks${pathKey(name)}`;
    const block = this.node(this.blocks.get(name), definedAt);
    if (!block) return undefined;
    this.unnamed(block, definedAt);
    return this.place(block, { ...place, at: definedAt, blocks: [...blocks, name] });
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
    return this.fault(
      at,
      () => `there is no shared module ${shown(name)}${didYouMean(name, this.shared.keys())}`,
    );
  }

  /** The module that already stands at a path. */
  private referred(path: string, at: string): Module | undefined {
    const module = this.standing(path, at);
    if (!module) return undefined;
    if (this.open.has(module))
      return this.fault(at, `a module cannot contain itself: ${shown(path)} is not complete here`);
    return module;
  }

  private standing(path: string, at: string): Module | undefined {
    let module = this.root;
    let walked = '';
    if (this.failed.has('')) return undefined;
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
    const wrong = excess({ places: ++this.constructed, depth }, this.limits);
    if (wrong !== undefined) {
      this.exhausted = this.constructed > this.limits.maxModules;
      return this.fault(at, wrong);
    }
    const type = this.type(node, at);
    if (!type) return undefined;
    const definition = LAYERS[type];
    const structural: readonly string[] = STRUCTURE;
    const wired = (name: string): boolean => definition.wired === true && WIRING_KEYS.includes(name);
    const given = new Map([...node].filter(([name]) => !structural.includes(name) && !wired(name)));
    const { options, faults } = checkOptions({ type, definition }, given, at);
    for (const { path, message } of faults) this.fault(path, message);
    const module = faults.length === 0 ? this.made(makeModule(type, options), place) : undefined;
    if (module) {
      this.drawn.push(...constructionInits(module));
      place.attach(module);
      this.arguments(node, module, place);
    } else if (place.path !== undefined) {
      this.failed.add(place.path);
    }
    // The children of a module that cannot be are read for their faults.
    if (definition.wired) this.graph(node, module ?? makeModule(type, {}), place);
    else if (definition.container) this.children(node.get('children'), module ?? makeModule(type, {}), place);
    else if (node.has('children')) this.fault(`${at}.children`, `${type} has no children`);
    if (module && node.has('tie')) this.tie(node.get('tie'), module, place);
    return module;
  }

  private type(node: Node, at: string): LayerType | undefined {
    const given = node.get('type');
    if (typeof given === 'string') {
      const type = layerType(given);
      if (type) return type;
      return this.fault(
        `${at}.type`,
        `unknown layer type ${shown(given)}${didYouMean(given, Object.keys(LAYERS))}`,
      );
    }
    if (given !== undefined) return this.fault(`${at}.type`, `must be a string, got ${shown(given)}`);
    const wanted = ['type', ...PLACEMENTS];
    const near = [...node.keys()].slice(0, MAX_FAULTS).find((name) => nearest(name, wanted) !== undefined);
    if (near !== undefined) this.fault(`${at}${pathKey(near)}`, `unknown field${didYouMean(near, wanted)}`);
    return this.fault(at, 'needs a type (or block, shared, ref)');
  }

  /** The module, unless it is made of too many, or one of its parameters is larger than numbers can tell. */
  private made(module: Module, { at, depth }: Place): Module | undefined {
    for (const { path, value } of everyName(module)) {
      try {
        byteLength(value.shape, value.dtype);
      } catch (error) {
        if (error instanceof RangeError) return this.fault(at, `${path}: ${error.message}`);
        throw error;
      }
    }
    const parts = new TreeSizes().of(module);
    this.constructed += parts.places - 1;
    const wrong = excess({ places: this.constructed, depth: depth + parts.depth - 1 }, this.limits);
    return wrong === undefined ? module : this.fault(at, wrong);
  }

  /** The modules among a constructor's arguments. */
  private arguments(node: Node, module: Module, place: Place): void {
    this.open.add(module);
    for (const option of LAYERS[module.type].options) {
      if (option.kind !== 'module') continue;
      const json = node.get(option.name);
      const at = `${place.at}.${option.name}`;
      if (json === undefined || (json === null && option.nullable)) {
        if (option.default === undefined) this.fault(at, `${module.type} needs ${option.name}`);
      } else if (option.copies) {
        this.copies(json, module, { ...place, at }, option.copies);
      } else {
        this.argument(json, module, option.name, { ...place, at });
      }
    }
    this.open.delete(module);
  }

  /** A module that becomes the child `name`. */
  private argument(json: unknown, parent: Module, name: string, place: Place): void {
    const path = place.path === undefined ? undefined : joinPath(place.path, name);
    if (isObject(json)) this.unnamed(new Map(Object.entries(json)), place.at);
    const attach = (made: Module): void => void parent.children.set(name, made);
    this.module(json, { ...place, path, depth: place.depth + 1, attach });
  }

  /** copy.deepcopy of one module, so many times; or a list of as many modules. */
  private copies(
    json: unknown,
    module: Module,
    place: Place,
    { into, count }: NonNullable<(OptionDefinition & { kind: 'module' })['copies']>,
  ): void {
    const wanted = module.options[count] as number;
    const list = makeModule('ModuleList', {});
    module.children.set(into, list);
    this.constructed++;
    const { at, depth } = place;
    const path = place.path === undefined ? undefined : joinPath(place.path, into);
    if (Array.isArray(json)) {
      if (json.length !== wanted) this.fault(at, `is a list of ${json.length}, ${count} is ${wanted}`);
      json.forEach((item: unknown, i) => {
        if (this.exhausted) return;
        this.argument(item, list, String(i), { ...place, path, depth: depth + 1, at: `${at}[${i}]` });
      });
      return;
    }
    if (isObject(json)) this.unnamed(new Map(Object.entries(json)), at);
    const original = this.module(json, {
      ...place,
      path: undefined,
      depth: depth + 2,
      attach: () => undefined,
    });
    if (!original) return;
    const size = new TreeSizes().of(original);
    const places = this.constructed + (wanted - 1) * size.places;
    const wrong = excess({ places, depth: depth + 1 + size.depth }, this.limits);
    if (wrong !== undefined) return this.fault(at, wrong);
    this.constructed = places;
    for (let i = 0; i < wanted; i++) {
      const copies = new Map<Parameter, Parameter>();
      list.children.set(String(i), copyModule(original, copies));
      for (const [copyOf, parameter] of copies) {
        this.drawn.push({ name: '', parameter, init: { name: 'zeros' }, copyOf });
      }
    }
  }

  private children(json: unknown, module: Module, place: Place): void {
    const at = `${place.at}.children`;
    if (this.tooMany(json, at, place)) return;
    this.attach(listChildren(json, module.type, at, this.report), module, place);
  }

  /** A Graph's nodes: modules are its children, ops count as modules do. */
  private graph(node: Node, module: Module, place: Place): void {
    const { at } = place;
    if (node.has('children')) this.fault(`${at}.children`, 'a Graph has nodes');
    if (this.tooMany(node.get('nodes'), `${at}.nodes`, place)) return;
    const inputs = readNames(node.get('inputs'), `${at}.inputs`, this.report);
    const outputs = readNames(node.get('outputs'), `${at}.outputs`, this.report);
    const nodes = listNodes(node.get('nodes'), `${at}.nodes`, this.report);
    this.constructed += nodes.filter(({ op }) => op).length;
    const wrong = excess({ places: this.constructed, depth: place.depth }, this.limits);
    if (wrong !== undefined) {
      this.exhausted = true;
      return void this.fault(`${at}.nodes`, wrong);
    }
    const children = nodes.filter(({ op }) => !op);
    this.attach(
      children.map(({ name, at: nodeAt, json }) => ({ name, at: `${nodeAt}.module`, json })),
      module,
      place,
    );
    // Names of nodes that cannot be read would be missed.
    const all = nodes.length === (node.get('nodes') as readonly unknown[] | undefined)?.length;
    if (!inputs || !outputs || !all || this.exhausted) return;
    const child = (name: string): Module | undefined => module.children.get(name);
    const wiring = wire({ inputs, nodes, outputs, child }, at, this.report);
    if (wiring) Object.assign(module, { wiring });
  }

  private readonly report = (path: string, message: string): void => void this.fault(path, message);

  /** Whether there are more in a list than modules may be. */
  private tooMany(json: unknown, at: string, { depth }: Place): boolean {
    if (!Array.isArray(json) || json.length <= this.limits.maxModules) return false;
    this.fault(at, excess({ places: json.length, depth }, this.limits)!);
    return true;
  }

  private attach(listed: readonly ListedChild[], module: Module, place: Place): void {
    this.open.add(module);
    let places = 1;
    for (const { name, at: childAt, json: child } of listed) {
      if (this.exhausted) break;
      const path = place.path === undefined ? undefined : joinPath(place.path, name);
      const attach = (made: Module): void => void module.children.set(name, made);
      const made = this.module(child, { ...place, at: childAt, path, depth: place.depth + 1, attach });
      places += made ? this.sizes.of(made).places : 1;
      const wrong = excess({ places, depth: place.depth }, this.limits);
      if (wrong === undefined) continue;
      this.exhausted = true;
      this.fault(childAt, wrong);
    }
    this.open.delete(module);
  }

  /** `net[4].weight = net[0].weight`, after both were constructed. */
  private tie(json: unknown, module: Module, place: Place): void {
    const at = `${place.at}.tie`;
    if (!isObject(json))
      return this.fault(at, `must be an object of parameters' paths by name, got ${shown(json)}`);
    for (const [name, path] of Object.entries(json)) {
      if (this.exhausted) break;
      const tieAt = `${at}${pathKey(name)}`;
      const [owner, ownName] = ownerOf(module, name);
      const own = owner?.parameters.get(ownName);
      if (uninitialized(module).some(({ path: lazy }) => lazy === name)) {
        this.fault(tieAt, 'is uninitialized: a lazy parameter is tied once it has a shape');
        continue;
      }
      if (!own) {
        const hint = didYouMean(name, module.parameters.keys());
        this.fault(tieAt, `this ${module.type} has no parameter ${shown(name)}${hint}`);
        continue;
      }
      if (typeof path !== 'string') {
        this.fault(tieAt, `must be a parameter's path, got ${shown(path)}`);
        continue;
      }
      const parameter = this.parameter(path, tieAt);
      const wrong = parameter && untieable(own, parameter, { name, path });
      if (wrong) this.fault(tieAt, wrong);
      else if (parameter) owner!.parameters.set(ownName, parameter);
    }
  }

  private parameter(path: string, at: string): Parameter | undefined {
    const dot = path.lastIndexOf('.');
    const owner = this.standing(path.slice(0, Math.max(dot, 0)), at);
    if (!owner) return undefined;
    const name = path.slice(dot + 1);
    const hint = didYouMean(name, owner.parameters.keys());
    return (
      owner.parameters.get(name) ??
      this.fault(at, `no parameter stands at ${shown(path)} before this one${hint}`)
    );
  }
}

/** The module that has a parameter: this one, or (`self_attn.in_proj_bias`) one that it is made of. */
function ownerOf(module: Module, name: string): readonly [Module | undefined, string] {
  const names = name.split('.');
  const last = names.pop()!;
  let owner: Module | undefined = module;
  for (const child of names) owner = owner?.children.get(child);
  return [owner, last];
}

/** Why two parameters cannot be one; undefined: they can. */
function untieable(
  own: Parameter,
  other: Parameter,
  { name, path }: { name: string; path: string },
): string | undefined {
  if (own.kind !== other.kind) return `${name} is a ${own.kind}, ${path} is a ${other.kind}`;
  if (sameShape(own.shape, other.shape) && own.dtype === other.dtype) return undefined;
  const [a, b] = [own, other].map(({ shape }) => `[${shape.join(', ')}]`);
  return `${name} has shape ${a}, ${path} has shape ${b}: tied parameters have one shape`;
}
