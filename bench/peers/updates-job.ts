// What the sides of bench/updates are asked: an optimizer's steps on one parameter again and again, for so many seconds.

export interface UpdatesJob {
  readonly name: string;
  readonly options: Readonly<Record<string, number | boolean>>;
  readonly numel: number;
  readonly seconds: number;
}

export const SEEDS = { parameter: 1, gradient: 2 };

/** After so many of its steps the sides have to have the same parameter. */
export const COMPARED_STEPS = 3;
