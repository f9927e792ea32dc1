// Just enough of ONNX's protobuf encoding to write a model with float32 and int64 initializers (onnx/onnx.proto, opset 17).

type Field = readonly [tag: number, value: number | string | Uint8Array];

const VARINT = 0;
const BYTES = 2;
const FLOAT = 1;
const INT64 = 7;
const [ATTRIBUTE_INT, ATTRIBUTE_INTS] = [2, 7];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}

function message(...fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.flatMap(([tag, value]) => {
      if (typeof value === 'number')
        return [Uint8Array.from([...varint(tag * 8 + VARINT), ...varint(value)])];
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      return [Uint8Array.from([...varint(tag * 8 + BYTES), ...varint(bytes.length)]), bytes];
    }),
  );
}

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface Initializer {
  readonly dims: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

export interface OnnxGraph {
  readonly input: { readonly name: string; readonly dims: readonly number[] };
  readonly output: { readonly name: string; readonly dims: readonly number[] };
  readonly nodes: readonly Node[];
  readonly initializers: Readonly<Record<string, Initializer>>;
}

function node({ op, inputs, output, attributes = {} }: Node): Uint8Array {
  return message(
    ...inputs.map((name): Field => [1, name]),
    [2, output],
    [4, op],
    ...Object.entries(attributes).map(([name, value]): Field => {
      const [type, fields]: [number, Field[]] =
        typeof value === 'number'
          ? [ATTRIBUTE_INT, [[3, value]]]
          : [ATTRIBUTE_INTS, value.map((item): Field => [8, item])];
      return [5, message([1, name], ...fields, [20, type])];
    }),
  );
}

function initializer(name: string, { dims, values }: Initializer): Uint8Array {
  const type = values instanceof Float32Array ? FLOAT : INT64;
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return message(...dims.map((dim): Field => [1, dim]), [2, type], [8, name], [9, raw]);
}

function value({ name, dims }: OnnxGraph['input']): Uint8Array {
  const shape = message(...dims.map((dim): Field => [1, message([1, dim])]));
  return message([1, name], [2, message([1, message([1, FLOAT], [2, shape])])]);
}

/** A ModelProto. */
export function encodeModel({ input, output, nodes, initializers }: OnnxGraph): Uint8Array {
  const graph = message(
    ...nodes.map((each): Field => [1, node(each)]),
    [2, 'graph'],
    ...Object.entries(initializers).map(([name, tensor]): Field => [5, initializer(name, tensor)]),
    [11, value(input)],
    [12, value(output)],
  );
  return message([1, 8], [8, message([1, ''], [2, 17])], [7, graph]);
}
