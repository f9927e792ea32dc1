// What an optimizer is: one file per family, one line in table.ts. Everything about it follows from its definition:
// what it takes, what it keeps for each parameter, and the numbers of a step. Knows nothing about models and memory.

import type { UpdateKernelName } from '../../graph/optimizer-kernels.js';
import type { OptionDefinition } from '../layer.js';
import type { Options } from '../options.js';

export type Setting = null | boolean | number | string | readonly number[];

/** A parameter group's options as plain values; schedulers change them (`lr`, `momentum`, `betas`) while it runs. */
export interface Settings {
  lr: number;
  /** What a scheduler started from. */
  initial_lr?: number;
  momentum?: number;
  betas?: readonly number[];
  [option: string]: Setting | undefined;
}

export interface OptimizerDefinition {
  /** In the order of PyTorch's constructor. */
  readonly options: readonly OptionDefinition[];
  /** What PyTorch's constructor raises, in its words. */
  check(options: Options): string[];
  /** Options that PyTorch's groups have though its constructor does not take them (AdamW's decoupled_weight_decay). */
  readonly fixed?: Readonly<Record<string, Setting>>;
  /** Fills in the defaults that depend on other options. */
  derive?(settings: Settings): Settings;
}

/** A tensor that is kept for a parameter, under PyTorch's name. It is made at the parameter's first step. */
export interface StateTensor {
  readonly name: string;
  /** A scalar is a float32 of shape []; `parameter`: as many elements as the parameter has, in its shape. */
  readonly shape: 'parameter' | 'scalar';
  /** What it starts with; `gradient`: the first step's kernel makes it of the gradient. */
  readonly initial: number | 'gradient';
}

/** What a step knows besides the settings. */
export interface StepCount {
  /** 1 at the first step. */
  readonly step: number;
  /** The state is made at this step. */
  readonly first: boolean;
  /** Of those that keep it (NAdam): this step's mu_product. */
  readonly muProduct: number;
}

/** An optimizer that does to each element alone what a kernel says. */
export interface ElementwiseOptimizer<S extends Settings = Settings> extends OptimizerDefinition {
  readonly kernel: UpdateKernelName;
  /** The state that the kernel reads, in its order; what the settings leave out is passed as address 0. */
  readonly tensors: readonly string[];
  state(settings: S): StateTensor[];
  /** By what this step multiplies mu_product. */
  mu?(settings: S, step: number): number;
  /** The kernel's numbers after the count of elements, in its order. */
  numbers(settings: S, count: StepCount): number[];
}

/** The state's step count, which most optimizers keep. */
export const STEP: StateTensor = { name: 'step', shape: 'scalar', initial: 0 };

export function zeros(name: string): StateTensor {
  return { name, shape: 'parameter', initial: 0 };
}
