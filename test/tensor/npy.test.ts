// numpy's files: against bytes that numpy made (test/fixtures/make-npy.py), and what we write read back.

import { crc32, deflateRawSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkNpyLength, npyFile, readNpyHeader, writeNpyElements } from '#src/tensor/npy.js';
import { readNpzOutline, writeNpzArray } from '#src/tensor/npz.js';
import { TensorValue, zeros, type TensorData } from '#src/tensor/tensor-value.js';

interface Fixture {
  readonly arrays: Record<string, { npy: string; shape: number[]; data: unknown[] }>;
  readonly refused: Record<string, string>;
  readonly versions: Record<string, string>;
  readonly archives: Record<string, string>;
}
const { arrays, refused, versions, archives } = JSON.parse(
  readFileSync(new URL('../fixtures/npy.json', import.meta.url), 'utf8'),
) as Fixture;

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');

function read(file: Uint8Array): TensorValue {
  const outline = readNpyHeader(file, 'file');
  checkNpyLength(outline, file.length, 'file');
  const tensor = zeros(outline.dtype, outline.shape);
  writeNpyElements(outline, file.subarray(outline.offset), tensor.data);
  return tensor;
}

/** A file of version 1 with any text for a header. */
function withHeader(text: string, elements = 0): Buffer {
  const head = Buffer.from(`\x93NUMPY\x01\0..${text}`, 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.alloc(elements)]);
}

const FIELDS = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";

describe('an array that numpy wrote', () => {
  const DTYPES: Record<string, string> = { f: 'float32', d: 'float32', i: 'int32', u: 'int32', b: 'bool' };

  it.each(Object.entries(arrays))('(%s) is read, number by number', (name, { npy, shape, data }) => {
    const tensor = read(bytesOf(npy));
    expect(tensor.shape).toEqual(shape);
    const told = Array.from(tensor.data as Float32Array, (x) =>
      typeof x === 'bigint' ? Number(x) : tensor.dtype === 'bool' ? x === 1 : x,
    );
    const wanted = data.map((x) => (typeof x === 'string' ? Number(x) : x));
    expect(told).toEqual(wanted);
    if (/^[fiub]\d$/.test(name)) {
      expect(tensor.dtype).toBe(name === 'i8' ? 'int64' : DTYPES[name[0]!]);
    }
  });

  it('is read where it stands at an odd address', () => {
    const { npy, data } = arrays.f4!;
    const file = bytesOf(npy);
    const moved = Buffer.concat([Buffer.of(0), file]).subarray(1);
    expect(Array.from(read(moved).data as Float32Array)).toEqual(data);
  });

  it.each(Object.entries(versions))('of version %s is read', (version, npy) => {
    expect(bytesOf(npy)[6]).toBe(Number(version));
    expect(read(bytesOf(npy)).data).toEqual(Float32Array.of(0, 1, 2));
  });

  it.each([
    ['big-endian', 'has elements ">f4", which are big-endian; only little-endian ones are read'],
    ['complex', 'has elements "<c16"; those that are read are f2, f4'],
    ['unsigned 64', 'has elements "<u8"'],
    ['text', 'has elements "<U1"'],
    ['structured', "has elements \"[('a', '<i4'), ('b', '<f4')]\""],
  ])('(%s) is refused with what its elements are', (name, message) => {
    expect(() => read(bytesOf(refused[name]!))).toThrow(message);
  });
});

describe('a header', () => {
  it('may have its entries in any order, in either quotes, and lengths as Python 2 wrote them', () => {
    const text = '{ "shape" : (2L, 1L),"fortran_order":True, \'descr\':"|u1"}\n';
    expect(readNpyHeader(withHeader(text), 'f')).toMatchObject({
      shape: [2, 1],
      element: 'u1',
      fortranOrder: true,
      bytes: 2,
    });
  });

  it.each([
    ['white space', '  '],
    ['no dictionary', '(2,)'],
    ['a call', "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}"],
    ['arithmetic', "{'descr': '<f4', 'fortran_order': False, 'shape': (2*3,)}"],
    ['an entry too few', "{'descr': '<f4', 'shape': (2,)}"],
    ['an entry too many', `${FIELDS.slice(0, -1)}'x': 1}`],
    ['an entry twice', "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"],
    ['a number in place of a tuple', "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}"],
    ['a negative extent', "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"],
    ['something behind it', `${FIELDS} or 1`],
    ['no end', FIELDS.slice(0, -1)],
  ])('with %s is refused, and nothing of it is run', (_what, text) => {
    expect(() => readNpyHeader(withHeader(text), 'f')).toThrow('f: has a header that is not numpy’s');
  });

  it.each([
    ['more elements than can be counted', '(9007199254740991, 2)', 'too many elements'],
    ['more bytes than can be counted', '(9007199254740991,)', 'too many bytes'],
    ['more dimensions than there are', `(${'1, '.repeat(65)})`, '64 is the most'],
  ])('that says of %s is refused', (_what, shape, message) => {
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}}`;
    expect(() => readNpyHeader(withHeader(text), 'f')).toThrow(message);
  });

  it('is refused where it ends too early, is of a later version, or longer than numpy would read', () => {
    const file = withHeader(FIELDS, 8);
    for (let length = 0; length < file.length - 8; length++) {
      expect(() => readNpyHeader(file.subarray(0, length), 'f'), String(length)).toThrow(/^f: /);
    }
    file[6] = 4;
    expect(() => readNpyHeader(file, 'f')).toThrow('is of version 4.0');
    expect(() => readNpyHeader(withHeader(FIELDS + ' '.repeat(10_000)), 'f')).toThrow('10000 are the most');
  });

  it('that promises more or fewer elements than there are is refused', () => {
    for (const bytes of [0, 7, 9, 12]) {
      expect(() => read(withHeader(FIELDS, bytes))).toThrow(
        `has ${bytes} bytes of elements where f4 [2] has 8`,
      );
    }
  });

  it('of any bytes is read or refused, and nothing else happens', () => {
    const near = fc
      .tuple(fc.nat(FIELDS.length - 1), fc.string({ maxLength: 3, unit: 'binary-ascii' }))
      .map(([at, text]) => FIELDS.slice(0, at) + text + FIELDS.slice(at + text.length));
    fc.assert(
      fc.property(near, (text) => {
        try {
          readNpyHeader(withHeader(text), 'f');
        } catch (error) {
          expect((error as Error).name).toBe('TensorError');
        }
      }),
      { numRuns: 500 },
    );
  });
});

const shapes = fc.array(fc.nat(4), { maxLength: 4 });
const tensors = fc
  .tuple(shapes, fc.constantFrom('float32', 'int64', 'int32', 'bool'))
  .chain(([shape, dtype]) => {
    const tensor = zeros(dtype, shape);
    const { length } = tensor.data;
    const bytes = fc.uint8Array({ minLength: tensor.data.byteLength, maxLength: tensor.data.byteLength });
    const bools = fc.array(fc.nat(1), { minLength: length, maxLength: length });
    return (dtype === 'bool' ? bools : bytes).map((given) => {
      new Uint8Array(tensor.data.buffer as ArrayBuffer).set(given);
      return tensor;
    });
  });
const bits = ({ buffer }: TensorData): Buffer => Buffer.from(buffer as ArrayBuffer);

describe('a file that we write', () => {
  it('has the same bits when it is read, for any shape and dtype', () => {
    fc.assert(
      fc.property(tensors, (tensor) => {
        const back = read(npyFile(tensor));
        expect([back.shape, back.dtype]).toEqual([tensor.shape, tensor.dtype]);
        expect(bits(back.data).equals(bits(tensor.data))).toBe(true);
      }),
    );
  });

  it.each(['f4', 'i4', 'i8', 'bool', 'scalar', 'empty'])("is numpy's own, byte for byte (%s)", (name) => {
    const own = bytesOf(arrays[name]!.npy);
    expect(npyFile(read(own)).toString('latin1')).toBe(own.toString('latin1'));
  });
});

describe('an archive', () => {
  const options = { path: 'file', maxArrays: 10 };
  const readAll = (file: Uint8Array) =>
    readNpzOutline(file, options).map((array) => {
      const tensor = zeros(array.npy.dtype, array.npy.shape);
      writeNpzArray(file, array, tensor.data);
      return [array.name, tensor] as const;
    });
  const expected = [
    [
      'x',
      new TensorValue(
        'float32',
        [4, 3],
        Float32Array.from({ length: 12 }, (_, i) => i),
      ),
    ],
    ['y', new TensorValue('int64', [4], BigInt64Array.of(0n, 1n, 1n, 0n))],
  ];

  it.each(Object.entries(archives))('that numpy wrote (%s) is read', (_name, file) => {
    expect(readAll(bytesOf(file))).toEqual(expected);
  });

  it('with one byte changed is refused or has the same arrays', () => {
    let refusals = 0;
    for (const name of Object.keys(archives)) {
      const file = bytesOf(archives[name]!);
      for (let at = 0; at < file.length; at++) {
        const changed = Buffer.from(file);
        changed[at] = file[at]! ^ 0x55;
        try {
          const found = readAll(changed);
          // Names stand in the directory, which has no checksum.
          expect(found.map(([, tensor]) => tensor)).toEqual(expected.map(([, tensor]) => tensor));
        } catch (error) {
          if ((error as Error).name !== 'TensorError') throw error;
          refusals++;
        }
      }
    }
    expect(refusals).toBeGreaterThan(500);
  });

  it('that ends anywhere too early is refused', () => {
    const file = bytesOf(archives.deflated!);
    for (let length = 0; length < file.length; length++) {
      expect(() => readAll(file.subarray(0, length)), String(length)).toThrow(/^file: /);
    }
  });

  it('of more arrays than are taken is refused', () => {
    expect(() => readNpzOutline(bytesOf(archives.stored!), { path: 'file', maxArrays: 1 })).toThrow(
      'file: has 2 entries; 1 are the most',
    );
  });

  /** One deflated entry of which the directory says what it likes. */
  function forged(
    packed: Buffer,
    { name = 'x.npy', bytes, flags = 0, method = 8, crc = 0 }: Forgery,
  ): Buffer {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const central = Buffer.alloc(46 + name.length);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(bytes, 24);
    central.writeUInt16LE(name.length, 28);
    central.write(name, 46);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(1, 10);
    end.writeUInt32LE(local.length + packed.length, 16);
    return Buffer.concat([local, packed, central, end]);
  }
  interface Forgery {
    readonly name?: string;
    readonly bytes: number;
    readonly flags?: number;
    readonly method?: number;
    readonly crc?: number;
  }

  it('whose entry unpacks to more than it says is not unpacked any further', () => {
    const small = npyFile(new TensorValue('float32', [2], Float32Array.of(1, 2)));
    const bomb = deflateRawSync(Buffer.concat([small, Buffer.alloc(64 * 2 ** 20)]));
    expect(bomb.length).toBeLessThan(2 ** 17);
    expect(() => readAll(forged(bomb, { bytes: small.length }))).toThrow('is longer than the directory says');
    const honest = forged(deflateRawSync(small), { bytes: small.length, crc: crc32(small) });
    expect(readAll(honest)).toEqual([['x', new TensorValue('float32', [2], Float32Array.of(1, 2))]]);
  });

  it.each([
    ['encrypted', { flags: 1 }, 'is encrypted'],
    ['packed otherwise', { method: 12 }, 'is packed by method 12; 0 (stored) and 8 (deflated) are read'],
    ['of zip64', { bytes: 0xffffffff }, 'zip64'],
    ['of another kind', { name: 'x.txt' }, '"x.txt": is no .npy file'],
    ['of another length than its array', { bytes: 137 }, 'has 9 bytes of elements where f4 [2] has 8'],
  ])('with an entry that is %s is refused', (_what, forgery, message) => {
    const small = npyFile(new TensorValue('float32', [2], Float32Array.of(1, 2)));
    expect(() => readAll(forged(deflateRawSync(small), { bytes: small.length, ...forgery }))).toThrow(
      message,
    );
  });
});
