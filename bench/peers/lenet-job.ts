// What the sides of bench/lenet are asked, and the network's parameters in PyTorch's order: noise with seeds 2, 3, ...
// nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
// nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

export interface LenetJob {
  readonly batch: number;
  readonly seconds: number;
}

export const IMAGE = [1, 28, 28] as const;
export const OUTPUTS = 10;

/** Each has a bias of the weight's first extent. */
export const LAYERS = [
  { kind: 'conv', weight: [6, 1, 5, 5], padding: 2 },
  { kind: 'conv', weight: [16, 6, 5, 5], padding: 0 },
  { kind: 'linear', weight: [120, 400], padding: 0 },
  { kind: 'linear', weight: [84, 120], padding: 0 },
  { kind: 'linear', weight: [10, 84], padding: 0 },
] as const;

export const FIRST_SEED = 2;
