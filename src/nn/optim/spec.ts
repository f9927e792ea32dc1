// An optimizer as a client writes it, `{"name": "SGD", "lr": 0.1, "groups": [{"params": "0.*", "lr": 0.01}]}`, checked
// and divided into parameter groups. Everything wrong is reported at once.

import type { Fault } from '../../errors.js';
import { didYouMean } from '../../nearest.js';
import { pathKey, shown } from '../options.js';
import { MAX_PATTERN, nearestPath, PathPattern } from '../path-pattern.js';
import type { Settings } from './optimizer.js';
import { checkedSettings, faulty, type Checked } from './settings.js';
import { optimizerName, OPTIMIZERS, type OptimizerName } from './table.js';

export interface GroupSpec {
  readonly patterns: readonly PathPattern[];
  readonly settings: Settings;
  /** Where it stands in what the client sent. */
  readonly path: string;
}

export interface OptimizerSpec {
  readonly name: OptimizerName;
  /** Of the parameters that no group names. */
  readonly settings: Settings;
  readonly groups: readonly GroupSpec[];
}

/** A group of an optimizer at work: its parameters' paths, and settings of its own, that schedulers change. */
export interface ParameterGroup {
  readonly params: readonly string[];
  readonly settings: Settings;
}

const MAX_GROUPS = 100;
const MAX_PATTERNS = 100;

/** Steps of matching: the product of all patterns' and all paths' lengths, at worst about a nanosecond each. */
const MAX_MATCHING = 2 ** 30;

/** Checks what does not depend on a model. */
export function parseOptimizer(given: unknown, path: string): Checked<OptimizerSpec> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return faulty(path, `must be an object with a name and options, got ${shown(given)}`);
  const { name: written, groups = [], ...options } = given as Record<string, unknown>;
  if (typeof written !== 'string')
    return faulty(`${path}.name`, `must be an optimizer's name, got ${shown(written)}`);
  const name = optimizerName(written);
  if (name === undefined) {
    const hint = didYouMean(written, Object.keys(OPTIMIZERS));
    return faulty(
      `${path}.name`,
      `unknown optimizer ${shown(written)}${hint || `; known are ${Object.keys(OPTIMIZERS).join(', ')}`}`,
    );
  }
  const faults: Fault[] = [];
  const settings = settingsOf(name, options, path, faults);
  const parsed = parseGroups(name, { groups, options, path: `${path}.groups` }, faults);
  return faults.length > 0 ? { faults } : { value: { name, settings, groups: parsed } };
}

/** The settings that options make; what is wrong with them is added to `faults`. */
export function settingsOf(
  name: OptimizerName,
  options: Readonly<Record<string, unknown>>,
  path: string,
  faults: Fault[],
): Settings {
  const definition = OPTIMIZERS[name];
  const checked = checkedSettings({ type: name, definition }, options, path, faults) as Settings;
  const settings = { ...checked, ...definition.fixed };
  return definition.derive?.(settings) ?? settings;
}

function parseGroups(
  name: OptimizerName,
  { groups, options, path }: { groups: unknown; options: Record<string, unknown>; path: string },
  faults: Fault[],
): GroupSpec[] {
  if (!Array.isArray(groups) || groups.length > MAX_GROUPS) {
    faults.push({ path, message: `must be a list of at most ${MAX_GROUPS} groups, got ${shown(groups)}` });
    return [];
  }
  if (groups.length > 0 && name === 'LBFGS') {
    faults.push({ path, message: "LBFGS doesn't support per-parameter options (parameter groups)" });
    return [];
  }
  return groups.map((group: unknown, at) => {
    const place = `${path}[${at}]`;
    if (typeof group !== 'object' || group === null || Array.isArray(group)) {
      faults.push({ path: place, message: `must be an object with params and options, got ${shown(group)}` });
      return { patterns: [], settings: { lr: 0 }, path: place };
    }
    const { params, ...own } = group as Record<string, unknown>;
    const patterns = parsePatterns(params, `${place}.params`, faults);
    // A fault that the group only inherits is told where it stands.
    const found: Fault[] = [];
    const settings = settingsOf(name, { ...options, ...own }, place, found);
    const inherited = (fault: Fault): boolean =>
      Object.keys(options).some((key) => !(key in own) && fault.path === `${place}${pathKey(key)}`);
    faults.push(...found.filter((fault) => !inherited(fault)));
    return { patterns, settings, path: place };
  });
}

/** A pattern or a list of them, as clients write which parameters (or modules) they mean. */
function parsePatterns(given: unknown, path: string, faults: Fault[]): PathPattern[] {
  const texts: unknown[] = Array.isArray(given) ? given : [given];
  const fits = (text: unknown): text is string => typeof text === 'string' && text.length <= MAX_PATTERN;
  if (texts.length > 0 && texts.length <= MAX_PATTERNS && texts.every(fits)) {
    return texts.map((text) => new PathPattern(text));
  }
  faults.push({
    path,
    message: `must be a pattern of at most ${MAX_PATTERN} characters, or a list of 1 to ${MAX_PATTERNS} of them, got ${shown(given)}`,
  });
  return [];
}

/**
 * Divides a model's parameters into groups: each belongs to the first group with a pattern that matches it, the rest to
 * the last. A pattern that matches nothing is a fault, and so is a group to which nothing is left.
 */
export function groupParameters(spec: OptimizerSpec, paths: readonly string[]): Checked<ParameterGroup[]> {
  const patterns = spec.groups.flatMap(({ patterns }) => patterns.filter(({ literal }) => !literal));
  if (lengthOf(patterns.map(({ text }) => text)) * lengthOf(paths) > MAX_MATCHING) {
    const message = `${patterns.length} patterns are too many for ${paths.length} parameters`;
    return faulty(spec.groups[0]!.path, message);
  }
  const faults: Fault[] = [];
  const members = spec.groups.map((): string[] => []);
  const rest: string[] = [];
  const matched = new Set<PathPattern>();
  for (const path of paths) {
    let owner: string[] | undefined;
    for (const [at, { patterns }] of spec.groups.entries()) {
      for (const pattern of patterns) {
        if (!pattern.matches(path)) continue;
        matched.add(pattern);
        owner ??= members[at];
      }
    }
    (owner ?? rest).push(path);
  }
  for (const [at, { patterns, path }] of spec.groups.entries()) {
    for (const pattern of patterns) {
      if (matched.has(pattern)) continue;
      const near = nearestPath(pattern, paths);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      faults.push({ path: `${path}.params`, message: `${shown(pattern.text)} matches no parameter${hint}` });
    }
    if (members[at]!.length === 0 && patterns.some((pattern) => matched.has(pattern)))
      faults.push({
        path: `${path}.params`,
        message: 'every parameter it matches belongs to an earlier group',
      });
  }
  if (faults.length > 0) return { faults };
  const groups = spec.groups.map(({ settings }, at) => ({ params: members[at]!, settings: { ...settings } }));
  const others = rest.length > 0 ? [{ params: rest, settings: { ...spec.settings } }] : [];
  return { value: [...groups, ...others] };
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
