// The element types of a tensor, as PyTorch names them, and their width in memory.
// Parameters and activations are float32; int64 and int32 are indices and counters; a bool is one byte.

export const DTYPES = {
  float32: { bytes: 4 },
  int64: { bytes: 8 },
  int32: { bytes: 4 },
  bool: { bytes: 1 },
} as const satisfies Record<string, { bytes: number }>;

export type DType = keyof typeof DTYPES;
