// The one table of losses, by the names of torch.nn.functional.

import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  crossEntropy,
  klDivergence,
  nll,
} from './classification.js';
import type { LossDefinition } from './loss.js';
import { gaussianNll, huber, l1, mse, smoothL1 } from './regression.js';
import { cosineEmbedding, hingeEmbedding, marginRanking } from './similarity.js';

const TABLE = {
  mse_loss: mse,
  l1_loss: l1,
  smooth_l1_loss: smoothL1,
  huber_loss: huber,
  cross_entropy: crossEntropy,
  nll_loss: nll,
  binary_cross_entropy: binaryCrossEntropy,
  binary_cross_entropy_with_logits: binaryCrossEntropyWithLogits,
  kl_div: klDivergence,
  cosine_embedding_loss: cosineEmbedding,
  margin_ranking_loss: marginRanking,
  hinge_embedding_loss: hingeEmbedding,
  gaussian_nll_loss: gaussianNll,
} satisfies Record<string, LossDefinition>;

export type LossName = keyof typeof TABLE;

export const LOSSES: Readonly<Record<LossName, LossDefinition>> = TABLE;

/** Functions, torch.nn's classes, and what is left of a function's name without _loss; BCE is known by its initials. */
const NAMES = new Map(
  (Object.keys(TABLE) as LossName[]).flatMap((name) =>
    [name, TABLE[name].type, name.replace(/_loss$/, ''), name.replace('binary_cross_entropy', 'bce')].map(
      (alias) => [alias, name] as const,
    ),
  ),
);

/** The loss that a client's name stands for (`mse_loss`, `mse`, `nn.MSELoss`, `F.mse_loss`), if there is one. */
export function lossName(name: string): LossName | undefined {
  return NAMES.get(name.replace(/^(torch\.)?(nn\.)?(functional\.|F\.)?/, ''));
}

/** Every name that is known, for a near miss. */
export const lossNames: readonly string[] = [...NAMES.keys()];
