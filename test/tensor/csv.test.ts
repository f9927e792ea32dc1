import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writePlainRows } from '#src/tensor/csv-numbers.js';
import { readCsvOutline, writeCsvPart } from '#src/tensor/csv.js';

function read(text: string | Uint8Array, { partBytes = 2 ** 20, maxColumns = 10 } = {}) {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const { names, rows, parts } = readCsvOutline(bytes, { maxColumns, partBytes });
  const targets = names.map(() => new Float32Array(rows));
  for (const part of parts) writeCsvPart(bytes, part, { names, targets });
  return { columns: Object.fromEntries(names.map((name, i) => [name, Array.from(targets[i]!)])), parts };
}

describe('a table as text', () => {
  it.each([
    ['line feeds', 'x,y\n1,2\n3,4\n'],
    ['no line feed at the end', 'x,y\n1,2\n3,4'],
    ['returns and line feeds', 'x,y\r\n1,2\r\n3,4\r\n'],
    ['both kinds of line ends', 'x,y\r\n1,2\n3,4\r\n'],
    ['blank lines anywhere', '\n\nx,y\n\n1,2\n \t\r\n\n3,4\n\n\r\n'],
    ['quoted cells', '"x","y"\n"1",2\n3,"4"\n'],
    ['quoted cells and returns', '"x","y"\r\n1,"2"\r\n"3","4"\r\n'],
    ['spaces around cells', 'x , y\n 1,\t2 \n3 , 4\n'],
    ['a mark of byte order', '\ufeffx,y\n1,2\n3,4\n'],
    ['numbers in other forms', 'x,y\n1.0,+2.\n.3e1,40E-1\n'],
  ])('with %s is read', (_what, text) => {
    expect(read(text).columns).toEqual({ x: [1, 3], y: [2, 4] });
  });

  it('may have any name in its header, over several lines too', () => {
    const { columns } = read('"a, b","say ""x""\nagain",__proto__,ü\n1,2,3,4\n');
    expect(Object.entries(columns)).toEqual([
      ['a, b', [1]],
      ['say "x"\nagain', [2]],
      ['__proto__', [3]],
      ['ü', [4]],
    ]);
  });

  it('has the numbers that have no digits', () => {
    const text = 'x\nnan\nNaN\ninf\n-inf\nInfinity\n-Infinity\n1e39\n';
    expect(read(text).columns.x).toEqual([NaN, NaN, Infinity, -Infinity, Infinity, -Infinity, Infinity]);
  });

  it.each([
    ['a word', 'x,y\n1,2\n3,four\n', 'line 3, column "y": must be a number, not "four"'],
    ['nothing', 'x,y\n1,\n', 'line 2, column "y": must be a number, not ""'],
    ['a number of JavaScript', 'x,y\n0x10,2\n', 'line 2, column "x": must be a number, not "0x10"'],
    ['two numbers', 'x,y\n1 2,2\n', 'line 2, column "x": must be a number, not "1 2"'],
    ['a decimal comma', 'x;y\n1;2\n', 'line 2, column "x;y": must be a number, not "1;2"'],
    ['a number that is too large', 'x,y\n1e400,2\n', 'line 2, column "x": "1e400" is too large for a number'],
    ['a word behind blank lines', '\nx,y\r\n\r\n1,2\n\n3,four\n', 'line 6, column "y": must be a number'],
    ['a word below a header of two lines', '"x\n",y\n1,2\n3,four\n', 'line 4, column "y": must be'],
    ['a cell too few', 'x,y\n1,2\n3\n', 'line 3: has 1 cells where the header has 2'],
    ['a cell too many', 'x,y\n1,2,\n', 'line 2: has 3 cells where the header has 2'],
  ])('with %s in it is refused with the place', (_what, text, message) => {
    for (const partBytes of [1, 2 ** 20]) {
      expect(() => read(text, { partBytes })).toThrow(message);
    }
  });

  it('counts the lines of a cell that goes over two', () => {
    const wrong = (): unknown => read('x,y\n"1\n",2\n3,four\n');
    expect(wrong).toThrow('line 2, column "x": must be a number');
    expect(wrong).toThrow('line 4, column "y": must be a number');
  });

  it('tells twenty faults of a part, and how many there are', () => {
    const wrong = (): unknown => read(`x\n${'a\n'.repeat(1000)}`);
    expect(wrong).toThrow('line 21, column "x"');
    expect(wrong).toThrow('and 980 more');
    expect(wrong).not.toThrow('line 22,');
  });

  it('that leaves a quote open is refused with its line', () => {
    expect(() => read('x\n1\n2\n"3\n4\n')).toThrow('line 4: has a quote " that is not closed');
  });

  it('without a header is refused', () => {
    for (const text of ['', '\n', ' \r\n\n']) expect(() => read(text)).toThrow('there is no header line');
  });

  it('of more columns than are taken is refused', () => {
    expect(() => read('a,b,c\n', { maxColumns: 2 })).toThrow('line 1: has 3 columns; 2 are the most');
  });

  it('has the same numbers in parts of any size', () => {
    const numbers = fc.array(fc.tuple(fc.float(), fc.float(), fc.constantFrom('\n', '\r\n', '\n\n')));
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 60 }), (rows, partBytes) => {
        const text = `x,"y"\n${rows.map(([x, y, end]) => `${x},"${y}"${end}`).join('')}`;
        const { columns, parts } = read(text, { partBytes });
        const told = (x: number): number => (x === 0 ? 0 : x);
        expect(columns.x!.map(told)).toEqual(rows.map(([x]) => told(x)));
        expect(columns.y!.map(told)).toEqual(rows.map(([, y]) => told(y)));
        for (const [i, { to }] of parts.entries()) {
          if (i + 1 < parts.length) expect(parts[i + 1]!.from).toBeGreaterThanOrEqual(to);
        }
      }),
    );
  });

  it('is read in parts that end with the record in which they become long', () => {
    const text = `x,y\n${'1,2\n'.repeat(100)}`;
    const { parts } = read(text, { partBytes: 40 });
    expect(parts).toHaveLength(10);
    expect(parts.map(({ row }) => row)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect(parts.map(({ line }) => line)).toEqual([2, 12, 22, 32, 42, 52, 62, 72, 82, 92]);
  });

  describe('without quotes, read from its bytes', () => {
    const forms: ((x: number) => string)[] = [
      String,
      (x) => x.toExponential().toUpperCase(),
      (x) => x.toPrecision(17),
      (x) => x.toPrecision(7),
      (x) => `+${Math.abs(x)}`,
      (x) => Math.trunc(x).toFixed(1).replace(/0$/, ''),
    ];
    const text = fc
      .tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(...forms))
      .map(([x, form]) => form(x));

    it('has for each number the float32 nearest to what Number reads', () => {
      fc.assert(
        fc.property(fc.array(text, { minLength: 1 }), (cells) => {
          const { columns } = read(`x\n${cells.join('\n')}`);
          expect(columns.x).toEqual(cells.map((cell) => Math.fround(Number(cell))));
        }),
        { numRuns: 300 },
      );
    });

    it.each([
      ['1,2\n3,4', true],
      [' 1,\t2 \r\n\n \t\n3 ,4\r\n', true],
      ['1,2\n"3",4\n', false],
      ['1,2\n3,nan\n', false],
      ['1,2\n3\n', false],
      ['1,2\n3,4,5\n', false],
      ['1,2\n3,4,', false],
      ['1,2\n3,1e400\n', false],
      ['1,2\n3,.\n', false],
      ['1,2\n3,1e\n', false],
      ['1,2\n3,4\r5\n', false],
    ])('takes the short way through %j: %s', (text, isPlain) => {
      const targets = [new Float32Array(2), new Float32Array(2)];
      const bytes = Buffer.from(text);
      expect(writePlainRows(bytes, { from: 0, to: bytes.length, row: 0 }, targets)).toBe(isPlain);
      if (isPlain) expect(targets).toEqual([Float32Array.of(1, 3), Float32Array.of(2, 4)]);
    });

    it.each([
      ['of halves that round to even', '16777217\n16777219\n1.00000005960464477539062500000001'],
      ['beyond 53 bits', '9007199254740993\n123456789012345678901234567890e-20'],
      ['at the ends of the range', '1e-46\n1.4e-45\n3.4028235e38\n1e-400\n0e999999999\n-0'],
      ['at the ends of exact powers', '1e22\n1e23\n9007199254740991e22\n5e-23\n000000000000000000000001e-22'],
    ])('has numbers %s', (_what, lines) => {
      const cells = lines.split('\n');
      expect(read(`x\n${lines}`).columns.x).toEqual(cells.map((cell) => Math.fround(Number(cell))));
    });

    it('is what it is with a quote in it, which is read as text: numbers, places and complaints', () => {
      const odd = fc.string({ unit: fc.constantFrom(...'0123456789.eE+-,, \t\n\n\r'), maxLength: 30 });
      const outcome = (body: string, rows: number): unknown => {
        try {
          return Object.values(read(`x,y\n${body}`, { partBytes: 2 ** 20 }).columns).map((column) =>
            column.slice(0, rows),
          );
        } catch (error) {
          return (error as Error).message;
        }
      };
      fc.assert(
        fc.property(odd, (body) => {
          const rows = body.split('\n').filter((line) => line.trim() !== '').length;
          expect(outcome(`${body}\n`, rows)).toEqual(outcome(`${body}\n"1",2`, rows));
        }),
        { numRuns: 3000 },
      );
    });
  });

  it('of any bytes is read or refused', () => {
    const bytes = fc.array(fc.constantFrom(...Buffer.from('x1,\n\r" .e-'), 0xff), { maxLength: 40 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 20 }), (given, partBytes) => {
        try {
          read(Uint8Array.from(given), { partBytes });
        } catch (error) {
          expect((error as Error).name).toBe('TensorError');
        }
      }),
      { numRuns: 500 },
    );
  });
});
