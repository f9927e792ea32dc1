// The lines of a print: where each begins and ends, and which layer it opens. A child's name may hold anything, brackets,
// colons and line ends included; where a print can be read in two ways, the one with plain names is taken.

/** [from, to) is the whole line, [start, end) what is left without the space around it. */
export interface Line {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

/** `(key): 4 x Type(`, as offsets into the text. */
export interface Head {
  readonly at: number;
  /** undefined: the root's. */
  readonly key: { readonly at: number; readonly text: string } | undefined;
  readonly count: number | undefined;
  readonly typeAt: number;
  readonly type: string;
  /** Behind the bracket. */
  readonly argsAt: number;
}

const HEAD = /(?:(\d+) x )?([A-Za-z_]\w*)\(/y;
const SPACES = ' \t\r\f\uFEFF';
/** A longer name is refused in any case; the bound keeps the search for a name's end short. */
const MAX_NAME_LINES = 256;

/** The line that begins at an offset; undefined past the end. */
export function lineAt(text: string, from: number): Line | undefined {
  if (from > text.length) return undefined;
  const found = text.indexOf('\n', from);
  const to = found === -1 ? text.length : found;
  let [start, end] = [from, to];
  while (start < end && SPACES.includes(text.charAt(start))) start++;
  while (end > start && SPACES.includes(text.charAt(end - 1))) end--;
  return { from, to, start, end };
}

/** The first line from an offset on that holds something. */
export function filledLineAt(text: string, from: number): Line | undefined {
  let line = lineAt(text, from);
  while (line !== undefined && line.start === line.end) line = lineAt(text, line.to + 1);
  return line;
}

export interface Found {
  readonly head: Head;
  /** The line the head is on: not its first where the child's name has line ends. */
  readonly line: Line;
}

export function rootHead(text: string, line: Line): Found | undefined {
  const head = headAt(text, line, line.start, undefined);
  return head && { head, line };
}

/** The child that begins on a line. */
export function childHead(text: string, first: Line): Found | undefined {
  if (text.charAt(first.start) !== '(') return undefined;
  const at = first.start + 1;
  const head = lastHead(text, first, { from: at, at, before: '' });
  if (head !== undefined) return { head, line: first };
  // _addindent puts a child's first line two spaces further in than the rest of its name.
  const indent = Math.max(0, first.start - first.from - 2);
  let before = `${text.slice(at, first.to)}\n`;
  let line = lineAt(text, first.to + 1);
  for (let lines = 1; line !== undefined && lines < MAX_NAME_LINES; lines++) {
    if (isPlainChild(text, line)) return undefined;
    const from = Math.min(line.from + indent, line.start);
    const found = lastHead(text, line, { from, at, before });
    if (found !== undefined) return { head: found, line };
    before += `${text.slice(from, line.to)}\n`;
    line = lineAt(text, line.to + 1);
  }
  return undefined;
}

function isPlainChild(text: string, line: Line): boolean {
  const at = line.start + 1;
  return (
    text.charAt(line.start) === '(' &&
    (lastHead(text, line, { from: at, at, before: '' })?.key?.text ?? '') !== ''
  );
}

/** The last `): ` of a line that a head follows, for a name may hold one as well. `before`: the name so far. */
function lastHead(
  text: string,
  line: Line,
  name: { from: number; at: number; before: string },
): Head | undefined {
  const lineText = text.slice(name.from, line.end);
  let split = lineText.lastIndexOf('): ');
  while (split !== -1) {
    const key = { at: name.at, text: name.before + lineText.slice(0, split) };
    const head = headAt(text, line, name.from + split + 3, key);
    if (head !== undefined) return head;
    split = split === 0 ? -1 : lineText.lastIndexOf('): ', split - 1);
  }
  return undefined;
}

function headAt(text: string, line: Line, at: number, key: Head['key']): Head | undefined {
  HEAD.lastIndex = at;
  const found = HEAD.exec(text);
  if (found === null || HEAD.lastIndex > line.end) return undefined;
  const type = found[2] ?? '';
  const argsAt = at + found[0].length;
  const count = found[1] === undefined ? undefined : Number(found[1]);
  return { at, key, count, typeAt: argsAt - 1 - type.length, type, argsAt };
}
