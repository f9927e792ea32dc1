// Prints a module as Python's print(net) does, to the byte: torch.nn.Module.__repr__ and ModuleList's own.

import { LAYERS } from '../layers/table.js';
import type { Module } from '../module.js';

/** What Python's str.strip() takes for space. */
// eslint-disable-next-line no-control-regex -- four of them are space to Python
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** `print(module)`, without its line end. A module prints once for each place it stands at. */
export function printModule(module: Module): string {
  const children =
    module.type === 'ModuleList'
      ? compressed([...module.children.values()].map(printModule))
      : [...module.children].map(([name, child]) => `(${name}): ${indented(printModule(child))}`);
  const extra = LAYERS[module.type].repr?.(module.options, module) ?? '';
  const lines = extra === '' ? children : [...extra.split('\n'), ...children];
  if (lines.length === 0) return `${module.type}()`;
  if (children.length === 0 && lines.length === 1) return `${module.type}(${extra})`;
  return `${module.type}(\n  ${lines.join('\n  ')}\n)`;
}

/** ModuleList writes equal neighbours once: `(0-3): 4 x Linear(...)`. */
function compressed(prints: readonly string[]): string[] {
  const lines: string[] = [];
  for (let first = 0; first < prints.length;) {
    const print = prints[first] ?? '';
    let next = first + 1;
    while (next < prints.length && prints[next] === print) next++;
    lines.push(
      indented(
        next === first + 1 ? `(${first}): ${print}` : `(${first}-${next - 1}): ${next - first} x ${print}`,
      ),
    );
    first = next;
  }
  return lines;
}

/** torch.nn.modules.module._addindent by 2: blank lines stay empty, the first line stays where it is. */
function indented(print: string): string {
  const [first = '', ...rest] = print.split('\n');
  return [first, ...rest.map((line) => (BLANK.test(line) ? '' : `  ${line}`))].join('\n');
}
