// What a layer type is: one file per family in layers/, one line in layers/table.ts.
// Everything about a type follows from its definition: what it takes, holds, draws, prints and computes.

import type { Tracer, Value } from '../graph/tracer.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { InitSpec } from './init/spec.js';
import type { Module } from './module.js';
import type { Options, OptionValue } from './options.js';

export type OptionDefinition = {
  readonly name: string;
  readonly nullable?: boolean;
  /** Absent: the argument is required. */
  readonly default?: OptionValue;
  /** PyTorch takes others too, but what they mean is not implemented here. */
  readonly supported?: readonly OptionValue[];
} & (
  | { readonly kind: 'int'; readonly minimum?: number }
  | { readonly kind: 'float' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'string'; readonly choices: readonly string[] }
  /**
   * A module: the child of that name, or copies of it in a ModuleList of that name, `count` (an option) of them; where a
   * list is given, its modules themselves.
   */
  | { readonly kind: 'module'; readonly copies?: { readonly into: string; readonly count: string } }
  /** Any text in which `wrong` finds nothing wrong. */
  | { readonly kind: 'text'; readonly wrong: (text: string) => string | undefined }
  /** An int for every dimension, or a tuple with one for each. */
  | {
      readonly kind: 'ints';
      readonly minimum: number;
      /** The tuple's lengths. */
      readonly lengths: { readonly minimum: number; readonly maximum: number };
      readonly nullableItems?: boolean;
      /** Strings that stand for numbers yet to be computed (`padding='same'`). */
      readonly words?: readonly string[];
    }
  /** A tuple of floats; `orOne`: a float alone is taken too, and stands for as many as are needed. */
  | {
      readonly kind: 'floats';
      readonly lengths: { readonly minimum: number; readonly maximum: number };
      readonly orOne?: boolean;
    }
);
export type OptionKind = OptionDefinition['kind'];

export interface ParameterDefinition {
  readonly name: string;
  readonly kind: 'parameter' | 'buffer';
  /** null: registered, but absent (`bias=False`). */
  readonly shape: Shape | null;
  readonly dtype?: DType;
  /** What reset_parameters draws; parameters are drawn in the order of their list. */
  readonly init: InitSpec;
  /** The row that is set to 0 after the draw (an Embedding's `padding_idx`). */
  readonly zeroRow?: number;
}

/** A module that another one makes for itself: it cannot be exchanged. */
export interface PartDefinition {
  readonly name: string;
  readonly type: string;
  /** Those that are left out have their defaults. */
  readonly options: Options;
}

/** What is known of an output's extents without an input. Axes count from the end: -1 is the last. */
export interface ExtentFlow {
  /** `axes`: the first of them that is known must have this extent. */
  readonly takes?: {
    readonly axes: readonly number[];
    readonly extent: number;
    readonly of: 'features' | 'channels';
  };
  /** So many axes, from the last, have another extent afterwards; those before them stay. */
  readonly changes: number;
  readonly gives?: { readonly axis: number; readonly extent: number };
}

/** As after net.eval() or net.train(). */
export const MODES = ['eval', 'train'] as const;
export type Mode = (typeof MODES)[number];

/** How a module's forward is written down while its tree is walked. */
export interface Trace {
  readonly tracer: Tracer;
  readonly mode: Mode;
  /** All that the module is given: `x` is the first of them. */
  readonly inputs: readonly Value[];
  /** Runs the child of that name (`layers.0`: of a child's child). */
  child(name: string, ...inputs: readonly Value[]): Value;
}

/** How a layer that lacks one extent gets it. */
export interface Lazy {
  /** The type that it is from then on. */
  readonly becomes: string;
  /** The option of that type which is not known. */
  readonly option: string;
  /** A value for it that the other options go with. */
  assumed(options: Options): number;
  /** The extent, where the layer is given a tensor of this shape. Throws ShapeError. */
  seen(shape: Shape): number;
  /** The extent, where parameters by name have these shapes; undefined: they do not tell. */
  stated(shapes: ReadonlyMap<string, Shape>, options: Options): number | undefined;
}

export interface LayerDefinition {
  /** In the order of PyTorch's constructor. */
  readonly options: readonly OptionDefinition[];
  /** What single options cannot tell (`in_channels must be divisible by groups`), in PyTorch's words. */
  check?(options: Options): string[];
  parameters?(options: Options): ParameterDefinition[];
  /** The modules that it is made of, in PyTorch's order: they are drawn before its own parameters. */
  parts?(options: Options): PartDefinition[];
  /** Parameters of its parts that are set again after all has been drawn. */
  settles?(
    options: Options,
  ): { readonly part: string; readonly parameter: string; readonly init: InitSpec }[];
  /** What its forward takes, in order, where that is not one tensor: names, those with a ? may be left out. */
  readonly inputs?: readonly string[] | ((module: Module) => readonly string[]);
  /** Absent: PyTorch has no forward for it (ModuleList, ModuleDict). Throws ShapeError. */
  trace?(module: Module, x: Value, trace: Trace): Value;
  /** The names of what it gives, where that is not one tensor: `traceOutputs` is its forward then. */
  outputs?(module: Module): readonly string[] | undefined;
  traceOutputs?(module: Module, trace: Trace): readonly Value[];
  /** Its parameters have no shape yet (see lazy.ts). */
  readonly lazy?: Lazy;
  /** Absent: nothing is known of what comes out. */
  flow?(options: Options): ExtentFlow;
  /** extra_repr, without the parentheses. */
  repr?(options: Options, module: Module): string;
  /** Names that its print shows, though its constructor does not take them. */
  readonly shows?: readonly string[];
  /**
   * Its children are not one chain whose end is its output: of that nothing is known. Each of them is given what the one
   * before gives (chain), what the container is given (same), or nobody knows what.
   */
  readonly branches?: 'chain' | 'same' | 'unknown';
  /** Its children are nodes of a wiring (see wiring.ts): none comes, none goes. */
  readonly wired?: true;
  /** How a container names its children; a layer has none. */
  readonly container?: 'index_or_name' | 'index' | 'name';
}
