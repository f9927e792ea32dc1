// What a layer type is: one file per family in layers/, one line in layers/table.ts.

import type { Tracer, Value } from '../graph/tracer.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { InitSpec } from './init/spec.js';
import type { Module } from './module.js';
import type { Options, OptionValue } from './options.js';

export type OptionKind =
  | 'int' | 'positive_int' | 'float' | 'bool'
  | 'int_or_pair' | 'size' // 'size': int or list of ints (normalized_shape)
  | 'string';

export interface OptionDefinition {
  readonly name: string;
  readonly kind: OptionKind;
  readonly nullable?: boolean;
  /** Absent: the argument is required. */
  readonly default?: OptionValue;
  readonly choices?: readonly string[];
}

export interface ParameterDefinition {
  readonly name: string;
  readonly kind: 'parameter' | 'buffer';
  /** null: registered, but absent (`bias=False`). */
  readonly shape: Shape | null;
  readonly dtype?: DType;
  /** What reset_parameters draws; rows are drawn in the order of this list. */
  readonly init: InitSpec;
}

export interface LayerDefinition {
  /** In the order of PyTorch's constructor. */
  readonly options: readonly OptionDefinition[];
  /** What single options cannot tell (`in_channels must be divisible by groups`), in PyTorch's words. */
  check?(options: Options): string[];
  parameters?(options: Options): ParameterDefinition[];
  /** Absent: PyTorch has no forward for it (ModuleList, ModuleDict). */
  trace?(tracer: Tracer, module: Module, x: Value): Value;
  /** extra_repr, without the parentheses. */
  repr?(options: Options): string;
  /** A container's children are the client's; a layer has none. */
  readonly container?: boolean;
}
