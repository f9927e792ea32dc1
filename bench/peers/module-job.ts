// What the sides of bench/recurrent and bench/transformer are asked. Parameters, in PyTorch's order, are noise with seeds
// 2, 3, ..., the input is noise with seed 1; all of it times `scale`, so that no gate is shut and no weight all.

export interface ModuleJob {
  /** As the server takes it. */
  readonly architecture: unknown;
  readonly shape: readonly number[];
  readonly scale: number;
  readonly seconds: number;
}

export const FIRST_SEED = 2;
