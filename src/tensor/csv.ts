// Tables of numbers as comma-separated text (RFC 4180) with a header line: each column a float32 of [rows].
// First the outline, from a scan of the bytes; then parts of whole records, each alone, so that no reader is long at it.

import Papa from 'papaparse';
import { writePlainRows } from './csv-numbers.js';
import { FaultList, shown, TensorError } from './fault.js';

/** Some of a text's records. */
export interface CsvPart {
  /** In bytes from the text's first. */
  readonly from: number;
  readonly to: number;
  /** Of its first record: the row, from 0, and the line, from 1. */
  readonly row: number;
  readonly line: number;
}

export interface CsvOutline {
  readonly names: readonly string[];
  readonly rows: number;
  readonly parts: readonly CsvPart[];
}

export interface CsvLimits {
  readonly maxColumns: number;
  /** Parts end with the record in which they reach it. */
  readonly partBytes: number;
}

const [LINE_FEED, RETURN, QUOTE, SPACE, TAB] = [10, 13, 34, 32, 9];

interface Line {
  readonly from: number;
  /** Behind its line feed. */
  readonly to: number;
  readonly line: number;
}

/** Where records are; blank lines are none. Throws TensorError where a quote is left open or there is no header. */
export function readCsvOutline(text: Uint8Array, { maxColumns, partBytes }: CsvLimits): CsvOutline {
  let header: Line | undefined;
  const parts: CsvPart[] = [];
  let rows = 0;
  let begun: Omit<CsvPart, 'to'> | undefined;
  let end = 0;
  eachRecord(text, (from, to, line) => {
    if (!header) {
      header = { from, to, line };
      return;
    }
    begun ??= { from, row: rows, line };
    end = to;
    rows++;
    if (to - begun.from < partBytes) return;
    parts.push({ ...begun, to });
    begun = undefined;
  });
  if (begun) parts.push({ ...begun, to: end });
  if (!header) throw new TensorError([{ path: 'line 1', message: 'there is no header line' }]);
  const [names = []] = recordsOf(text, header);
  const path = `line ${header.line}`;
  if (names.length > maxColumns) {
    throw new TensorError([{ path, message: `has ${names.length} columns; ${maxColumns} are the most` }]);
  }
  return { names: names.map((name) => name.trim()), rows, parts };
}

/** Records end with a line feed outside of quotes. */
function eachRecord(text: Uint8Array, visit: (from: number, to: number, line: number) => void): void {
  let [from, line, feeds] = [0, 1, 0];
  let [blank, quoted] = [true, false];
  // One step more than there are bytes: the last line may end without a line feed.
  for (let at = 0; at <= text.length; at++) {
    const byte = at === text.length ? LINE_FEED : text[at]!;
    if (byte > QUOTE) blank = false;
    else if (byte === LINE_FEED) {
      feeds++;
      if (quoted) continue;
      if (!blank) visit(from, Math.min(at + 1, text.length), line);
      line += feeds;
      [from, feeds, blank] = [at + 1, 0, true];
    } else if (byte === QUOTE) quoted = !quoted;
    else if (byte !== RETURN && byte !== SPACE && byte !== TAB) blank = false;
  }
  if (quoted) throw new TensorError([{ path: `line ${line}`, message: 'has a quote " that is not closed' }]);
}

/** Writes a part's numbers: `targets` has the memory of each of the columns. Throws TensorError. */
export function writeCsvPart(
  text: Uint8Array,
  part: CsvPart,
  { names, targets }: { names: readonly string[]; targets: readonly Float32Array[] },
): void {
  if (writePlainRows(text, part, targets)) return;
  const faults = new FaultList();
  let { row, line } = part;
  for (const record of recordsOf(text, part)) {
    const path = `line ${line++}`;
    if (record.length === 1 && record[0]!.trim() === '') {
      line += feedsIn(record[0]!);
      continue;
    }
    if (record.length !== names.length) {
      const message = `has ${record.length} cells where the header has ${names.length}`;
      faults.add(() => ({ path, message }));
    }
    for (let i = 0; i < record.length; i++) {
      const cell = record[i]!;
      const value = numberOf(cell);
      if (typeof value === 'number') {
        if (i < targets.length) targets[i]![row] = value;
        continue;
      }
      // No number has a line feed in it.
      line += feedsIn(cell);
      faults.add(() => ({ path: `${path}, column ${shown(names[i] ?? i)}`, message: value }));
    }
    row++;
  }
  faults.throwIfAny(`line ${part.line} and on`);
}

/** The cells of the records that stand between two ends of records. */
function recordsOf(text: Uint8Array, { from, to }: { from: number; to: number }): string[][] {
  const { buffer, byteOffset } = text;
  const part = Buffer.from(buffer as ArrayBuffer, byteOffset + from, to - from).toString('utf8');
  const { data } = Papa.parse<string[]>(part.replaceAll('\r\n', '\n').replace(/\n$/, ''), {
    delimiter: ',',
    newline: '\n',
  });
  return data;
}

const feedsIn = (cell: string): number => cell.split('\n').length - 1;

const NUMBER = /^[ \t]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t\r]*$/;
/** As Python and JavaScript write them. */
const WORDS = new Map([
  ['nan', NaN],
  ...['inf', 'infinity'].flatMap((word): [string, number][] => [
    [word, Infinity],
    [`+${word}`, Infinity],
    [`-${word}`, -Infinity],
  ]),
] as const);

/** A cell's number, or why it is none. */
function numberOf(cell: string): number | string {
  if (NUMBER.test(cell)) {
    const value = Number(cell);
    return Number.isFinite(value)
      ? value
      : `${shown(cell.trim())} is too large for a number; infinity is inf`;
  }
  return WORDS.get(cell.trim().toLowerCase()) ?? `must be a number, not ${shown(cell)}`;
}
