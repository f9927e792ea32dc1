// What is wrong with a text, gathered while reading goes on, and where: lines and columns count from 1.

import type { Fault } from '../../errors.js';

/** Reading cannot go on past `at`, an offset into the text. */
export class SyntaxFault extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** A piece of the client's text in a message. */
export function clipped(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** More than anyone reads; what is beyond costs only time. */
const MAX_FAULTS = 100;

export class Faults {
  private readonly found: { at: number; message: string }[] = [];

  add(at: number, message: string): void {
    this.found.push({ at, message });
    if (this.found.length >= MAX_FAULTS) throw new SyntaxFault(at, 'there is too much wrong to go on');
  }

  /** The last fault: nothing was read after it. */
  stop(fault: SyntaxFault): void {
    this.found.push({ at: fault.at, message: fault.message });
  }

  get count(): number {
    return this.found.length;
  }

  get any(): boolean {
    return this.count > 0;
  }

  /** In the order of the text, which is read once for all of them. */
  positioned(text: string): Fault[] {
    const inOrder = this.found.toSorted((a, b) => a.at - b.at);
    let line = 1;
    let lineStart = 0;
    return inOrder.map(({ at, message }) => {
      for (;;) {
        const lineEnd = text.indexOf('\n', lineStart);
        if (lineEnd === -1 || lineEnd >= at) break;
        line++;
        lineStart = lineEnd + 1;
      }
      return { path: `line ${line}, column ${at - lineStart + 1}`, message };
    });
  }
}
