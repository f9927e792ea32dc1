// What the sides of bench/gradients are asked. Parameters are noise with seeds 2, 3, ... by 0.1, in PyTorch's order; the
// input is noise with seed 1, and the output's gradient all ones.

export interface GradientsJob {
  /** In PyTorch's notation. */
  readonly network: string;
  readonly shape: readonly number[];
  readonly seconds: number;
}

export const FIRST_SEED = 2;
export const PARAMETER_SCALE = 0.1;
