// Gradient clipping: torch.nn.utils.clip_grad_norm_ and clip_grad_value_ on gradients in the kernels' memory.
// Norms are float64 sums in one order, tensor after tensor; PyTorch's are of float32, so that the last digits differ.

import type { Kernels } from '../../graph/kernels.js';
import { pythonRepr, PythonFloat } from '../python-text.js';

export interface Gradient {
  /** In bytes. */
  readonly address: number;
  readonly numel: number;
}

export interface NormClip {
  readonly maxNorm: number;
  /** 2 by default; 1, Infinity and any other, as torch.linalg.vector_norm takes them. */
  readonly normType?: number;
  readonly errorIfNonfinite?: boolean;
}

/** A gradient that cannot be clipped. */
export class NonfiniteNormError extends Error {
  override readonly name = 'NonfiniteNormError';
}

/** The norm of all gradients as one vector: the norm of their norms. */
export function totalNorm(kernels: Kernels, gradients: readonly Gradient[], normType = 2): number {
  const norms = gradients.map((gradient) => normOf(kernels, gradient, normType));
  if (norms.length === 0) return 0;
  if (normType === Infinity) return norms.reduce((a, b) => Math.max(a, b));
  if (normType === -Infinity) return norms.reduce((a, b) => Math.min(a, b));
  if (normType === 0) return norms.filter((norm) => norm !== 0).length;
  return norms.reduce((sum, norm) => sum + norm ** normType, 0) ** (1 / normType);
}

function normOf(kernels: Kernels, { address, numel }: Gradient, normType: number): number {
  if (normType === 2) return Math.sqrt(kernels.dot(address, address, numel));
  if (normType === 1) return kernels.sum_abs(address, numel);
  if (normType === Infinity) return kernels.max_abs(address, numel);
  if (normType === -Infinity) return kernels.min_abs(address, numel);
  const sum = kernels.sum_powers(address, numel, normType);
  return normType === 0 ? sum : sum ** (1 / normType);
}

/**
 * Scales all gradients by the same factor where their total norm is above `maxNorm`, and answers the norm that they had.
 * Throws NonfiniteNormError, with nothing changed, where that is asked for.
 */
export function clipGradNorm(
  kernels: Kernels,
  gradients: readonly Gradient[],
  { maxNorm, normType = 2, errorIfNonfinite = false }: NormClip,
): number {
  const total = totalNorm(kernels, gradients, normType);
  if (errorIfNonfinite && !Number.isFinite(total)) {
    const order = pythonRepr(new PythonFloat(normType));
    throw new NonfiniteNormError(
      `The total norm of order ${order} for gradients is non-finite, so it cannot be clipped`,
    );
  }
  const factor = Math.min(maxNorm / (total + 1e-6), 1);
  // A factor of NaN is applied, as it is in PyTorch.
  if (factor === 1) return total;
  for (const { address, numel } of gradients) kernels.scale(address, address, numel, factor);
  return total;
}

/** Clamps every element to [-clipValue, clipValue]; NaN stays. */
export function clipGradValue(kernels: Kernels, gradients: readonly Gradient[], clipValue: number): void {
  for (const { address, numel } of gradients)
    kernels.hardtanh(address, address, numel, -clipValue, clipValue);
}
