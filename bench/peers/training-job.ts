// What the sides of bench/training are asked: steps of training, from the parameters of seed 0, on BATCHES batches of noise
// (seed 1) in order. Class of example i: 7 i mod 10.

export interface TrainingJob {
  /** In PyTorch's notation. */
  readonly network: string;
  /** Of one example. */
  readonly shape: readonly number[];
  readonly batch: number;
  /** A class of torch.optim, with its options. */
  readonly optimizer: { readonly name: string } & Readonly<Record<string, number | string>>;
  readonly threads: number;
  readonly steps: number;
}

export const BATCHES = 8;
export const CLASSES = 10;
