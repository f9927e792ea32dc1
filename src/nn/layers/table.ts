// The one table of layer types. A type is known to the whole server (architectures, notation, printing, inits,
// forward) once it has a row in one of these families.

import type { LayerDefinition } from '../layer.js';
import { ACTIVATION_LAYERS } from './activation.js';
import { ATTENTION_LAYERS } from './attention.js';
import { BILINEAR_LAYERS } from './bilinear.js';
import { CONTAINER_LAYERS } from './container.js';
import { CONVOLUTION_LAYERS } from './convolution.js';
import { DROPOUT_LAYERS } from './dropout.js';
import { EMBEDDING_LAYERS } from './embedding.js';
import { GRAPH_LAYERS } from './graph.js';
import { LAMBDA_LAYERS } from './lambda.js';
import { LAZY_LAYERS } from './lazy.js';
import { LINEAR_LAYERS } from './linear.js';
import { NORMALIZATION_LAYERS } from './normalization.js';
import { PADDING_LAYERS } from './padding.js';
import { POOLING_LAYERS } from './pooling.js';
import { RECURRENT_LAYERS } from './recurrent.js';
import { SHAPE_LAYERS } from './shape.js';
import { THRESHOLD_LAYERS } from './thresholds.js';
import { TRANSFORMER_LAYERS } from './transformer.js';
import { UPSAMPLING_LAYERS } from './upsampling.js';

const TYPES = {
  ...CONTAINER_LAYERS,
  ...GRAPH_LAYERS,
  ...LINEAR_LAYERS,
  ...BILINEAR_LAYERS,
  ...CONVOLUTION_LAYERS,
  ...POOLING_LAYERS,
  ...PADDING_LAYERS,
  ...UPSAMPLING_LAYERS,
  ...NORMALIZATION_LAYERS,
  ...EMBEDDING_LAYERS,
  ...RECURRENT_LAYERS,
  ...ATTENTION_LAYERS,
  ...TRANSFORMER_LAYERS,
  ...ACTIVATION_LAYERS,
  ...THRESHOLD_LAYERS,
  ...DROPOUT_LAYERS,
  ...SHAPE_LAYERS,
  ...LAMBDA_LAYERS,
  ...LAZY_LAYERS,
} satisfies Record<string, LayerDefinition>;

export type LayerType = keyof typeof TYPES;

/** Widened, so that every row may be asked for what only some have. */
export const LAYERS: Readonly<Record<LayerType, LayerDefinition>> = TYPES;

/** The type that a client's name stands for (`Linear`, `nn.Linear`, `torch.nn.Linear`), if there is one. */
export function layerType(name: string): LayerType | undefined {
  const plain = plainName(name);
  return Object.hasOwn(LAYERS, plain) ? (plain as LayerType) : undefined;
}

/** A type's name without the module that PyTorch keeps it in. */
export function plainName(name: string): string {
  return name.replace(/^(torch\.)?nn\./, '');
}
