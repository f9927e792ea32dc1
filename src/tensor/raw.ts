// Tensors as raw bytes: row-major, little-endian as WebAssembly's memory is; shape and dtype in header fields.
// The bytes of a body are not looked at here: this file knows how many there must be.

import { didYouMean } from '../nearest.js';
import { DTYPES, type DType } from './dtype.js';
import { FaultList, shown } from './fault.js';
import { byteLength, collectShape, type Shape } from './shape.js';
import type { TensorValue } from './tensor-value.js';

export const RAW_MEDIA_TYPE = 'application/octet-stream';
export const SHAPE_HEADER = 'X-Tensor-Shape';
export const DTYPE_HEADER = 'X-Tensor-Dtype';

export interface RawOutline {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly bytes: number;
}

/** What the header fields say (`2,4`; an empty one is a scalar's). Throws TensorError or SizeError. */
export function readRawHeaders(shapeText: string | undefined, dtypeText = 'float32'): RawOutline {
  const faults = new FaultList();
  const known = Object.hasOwn(DTYPES, dtypeText);
  if (!known) {
    const message = `must be one of ${Object.keys(DTYPES).join(', ')}, not ${shown(dtypeText)}${didYouMean(dtypeText, Object.keys(DTYPES))}`;
    faults.add(() => ({ path: pathOf(DTYPE_HEADER), message }));
  }
  let shape: Shape | undefined;
  if (shapeText === undefined) {
    faults.add(() => ({ path: pathOf(SHAPE_HEADER), message: 'is required, e.g. 2,4' }));
  } else {
    shape = collectShape(extents(shapeText), pathOf(SHAPE_HEADER), faults);
  }
  faults.throwIfAny(pathOf(SHAPE_HEADER));
  const dtype = dtypeText as DType;
  return { shape: shape!, dtype, bytes: byteLength(shape!, dtype) };
}

const pathOf = (header: string): string => `header.${header.toLowerCase()}`;

/** What is no whole number stays text, and is refused as such. */
function extents(text: string): (number | string)[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => (/^\s*\d{1,16}\s*$/.test(part) ? Number(part) : part.trim()));
}

export function rawHeaders({ shape, dtype }: TensorValue): Record<string, string> {
  return { [SHAPE_HEADER]: shape.join(','), [DTYPE_HEADER]: dtype };
}

/** The tensor's own memory, as bytes. */
export function rawBytes({ data }: TensorValue): Buffer {
  return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
