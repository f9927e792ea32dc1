// Training a network on handwritten digits, and how many of those it has not seen it tells right.

import { readDigits } from './digits.js';
import type { Server } from './server.js';

export interface Sizes {
  /** Of each digit, 800 with the test's at most. */
  readonly train?: number;
  readonly test?: number;
  readonly epochs?: number;
}

interface Network {
  readonly architecture: string;
  readonly optimizer: object;
  readonly batchSize: number;
  readonly epochs: number;
}

/** The loss and the accuracy on the test's digits after the last epoch, and how fast it was. */
export async function classify(server: Server, network: Network, sizes: Sizes) {
  const { train = 650, test = 150, epochs = network.epochs } = sizes;
  const digits = await readDigits(train, test);
  const columns = ({ images, labels }: typeof digits.train) => ({ images, labels });
  return server.withDataset(columns(digits.train), (dataset) =>
    server.withDataset(columns(digits.test), (unseen) =>
      server.withModel(network.architecture, 0, async (model) => {
        const names = { inputs: 'images', targets: 'labels' };
        const job = await model.train({
          ...{ dataset, ...names, validation: { dataset: unseen, ...names } },
          ...{ optimizer: network.optimizer, loss: 'cross_entropy' },
          ...{ epochs, batch_size: network.batchSize, shuffle: true, seed: 0 },
        });
        const { loss, accuracy } = job.history.at(-1)!.validation!;
        return { loss, accuracy: accuracy!, digitsPerSecond: Math.round(job.examples_per_second) };
      }),
    ),
  );
}
