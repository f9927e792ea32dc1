// What the sides of bench/resnet are asked: a network shaped as torchvision's resnet18, for images of 64 × 64. Parameters in
// the order in which they are registered are noise with seeds 2, 3, ..., the images noise with seed 1; see `valueAt`.

export interface ResnetJob {
  readonly batch: number;
  readonly seconds: number;
}

export const FIRST_SEED = 2;
export const IMAGE = [3, 64, 64] as const;
export const CLASSES = 1000;

interface Convolution {
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride: number;
}

export interface Block {
  readonly first: Convolution;
  readonly second: Convolution;
  /** What is added is convolved, too, where its shape is another. */
  readonly beside: Convolution | null;
}

export const STEM: Convolution = { from: 3, to: 64, kernel: 7, stride: 2 };

export const BLOCKS: readonly Block[] = [64, 128, 256, 512].flatMap((to, stage): Block[] => {
  const from = stage === 0 ? to : to / 2;
  const stride = stage === 0 ? 1 : 2;
  const block = (of: number, by: number): Block => ({
    first: { from: of, to, kernel: 3, stride: by },
    second: { from: to, to, kernel: 3, stride: 1 },
    beside: of === to && by === 1 ? null : { from: of, to, kernel: 1, stride: by },
  });
  return [block(from, stride), block(to, 1)];
});

/** A parameter's value from noise: normalisations near 1 and 0, others as large as keeps activations what they are. */
export function valueAt(shape: readonly number[], name: string): (noise: number) => number {
  if (shape.length === 1) return name.endsWith('weight') ? (x) => 1 + 0.2 * x : (x) => 0.1 * x;
  const fan = shape.slice(1).reduce((a, b) => a * b, 1);
  const scale = Math.sqrt(6 / fan);
  return (x) => scale * x;
}
