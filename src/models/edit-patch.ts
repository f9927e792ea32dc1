// Patches of parameters: every op of every edit is checked before anything is computed, and all that is wrong is told.

import { checkExpression } from '../nn/expression.js';
import type { Parameter } from '../nn/module.js';
import { pathKey } from '../nn/options.js';
import type { PlacedPatchOp } from '../runtime/protocol.js';
import { viewOf } from '../tensor/client-index.js';
import { inspectTensor } from '../tensor/json.js';
import { checkPatchOp, type PatchOp } from '../tensor/patch.js';
import { Complaints } from './complaints.js';
import { GRAD, gradientOf, ownerOf, type Storage } from './companion.js';
import type { Draft } from './draft.js';
import { chosenBy, requireCount, type Where } from './selector.js';
import { quoted, type ModelState, type Preparation } from './state.js';

/** A patch's op as a client sends it: the value is not decoded yet. */
export type ClientPatchOp = Omit<PatchOp, 'value'> & {
  readonly value?: unknown;
  /** What of the parameter is patched: its value, or its gradient. */
  readonly field?: Field | undefined;
};

export const FIELDS = ['value', GRAD] as const;
export type Field = (typeof FIELDS)[number];
export interface ParameterEdit {
  readonly ops?: readonly ClientPatchOp[];
  readonly requires_grad?: boolean;
  /** Of a key that is a glob: only those. */
  readonly where?: Omit<Where, 'path'> | undefined;
}

/** How faults name what a client sent: an op of an edit, and the edit itself. */
interface Naming {
  readonly op: (path: string, index: number) => string;
  readonly edit: (path: string) => string;
}

export const NAMINGS = {
  /** `{"value": ...}` */
  value: { op: () => '', edit: () => '' },
  /** `{"ops": [...]}` */
  edit: { op: (_path, index) => `ops[${index}]`, edit: () => '' },
  /** `{"parameters": {path: {"ops": [...]}}}` */
  edits: {
    op: (path, index) => `parameters${pathKey(path)}.ops[${index}]`,
    edit: (path) => `parameters${pathKey(path)}`,
  },
} satisfies Record<string, Naming>;

function inside(at: string, field: string): string {
  return at === '' || field === '' ? at || field : `${at}.${field}`;
}

/**
 * All of the edits or none of them, each for the parameters that its key, a path or a glob, chooses. Ops are done in order;
 * edits through two names of a storage follow each other. `expected`: how many parameters are chosen.
 */
export function patch(
  edits: ReadonlyMap<string, ParameterEdit>,
  naming: Naming,
  expected?: number,
): Preparation {
  return (state, draft) => {
    const chosen = new Set<Parameter>();
    const touched = new Map<Storage, string | null>();
    const requiresGrad = new Map<Parameter, boolean>();
    const complaints = new Complaints();
    const named = [...edits].flatMap(([key, edit]) => {
      const at = naming.edit(key);
      const find = () => chosenBy(state, key, edit.where, inside(at, 'where.'));
      const found = complaints.attempt(find, { at, values: [quoted(key)] }) ?? [];
      return found.map(({ path, value }) => ({ key, edit, path, parameter: value }));
    });
    for (const { key, edit, path, parameter } of named) {
      chosen.add(parameter);
      edit.ops?.forEach((op, i) => {
        const { field = 'value', ...rest } = op;
        const at = naming.op(key, i);
        const storage = field === 'value' ? parameter : gradientOf(parameter);
        const index = op.index === undefined || op.index === '' || op.index === ':' ? null : op.index;
        if (
          field !== 'value' &&
          !mayHave(storage, { state, draft, path, at, whole: op.op === 'set' && index === null, complaints })
        )
          return;
        const placed = placeOp(rest, parameter, { path, at, draft, complaints });
        if (!placed) return;
        const known = draft.regions.has(storage) || state.tensors.find(storage);
        draft.push({
          kind: 'patch',
          target: known ? draft.modify(storage) : draft.replace(storage),
          op: placed,
        });
        touched.set(storage, touched.has(storage) && touched.get(storage) !== index ? null : index);
      });
      if (edit.requires_grad === undefined) continue;
      if (parameter.kind === 'buffer' || parameter.dtype !== 'float32') {
        const message = `${quoted(path)} is a buffer: it has no gradient`;
        complaints.add('PATCH_INVALID', [{ path: inside(naming.edit(key), 'requires_grad'), message }]);
      } else if (edit.requires_grad !== state.tensors.get(parameter).requiresGrad) {
        requiresGrad.set(parameter, edit.requires_grad);
      }
    }
    complaints.throwIfAny('PATCH_INVALID');
    requireCount(expected, chosen.size);
    return { kind: touched.size === 0 ? 'freeze' : 'patch', touched, requiresGrad };
  };
}

interface GradientPlace {
  readonly state: ModelState;
  readonly draft: Draft;
  readonly path: string;
  readonly at: string;
  /** All of it is set: there need not be one. */
  readonly whole: boolean;
  readonly complaints: Complaints;
}

/** Whether there is a gradient to patch; complains where not. */
function mayHave(gradient: Storage, { state, draft, path, at, whole, complaints }: GradientPlace): boolean {
  const parameter = ownerOf(gradient);
  const none =
    parameter.kind === 'buffer' || parameter.dtype !== 'float32'
      ? `${quoted(path)} is a buffer: it has no gradient`
      : whole || draft.regions.has(gradient) || state.tensors.find(gradient)
        ? undefined
        : `${quoted(path)} has no gradient before a backward: set all of it`;
  if (none !== undefined) complaints.add('PATCH_INVALID', [{ path: inside(at, 'field'), message: none }]);
  return none === undefined;
}

interface PatchPlace {
  readonly path: string;
  readonly at: string;
  readonly draft: Draft;
  readonly complaints: Complaints;
}

/** Checks an op against its parameter and decodes its value into memory; undefined where something is wrong with it. */
function placeOp(
  op: Omit<ClientPatchOp, 'field'>,
  parameter: Parameter,
  place: PatchPlace,
): PlacedPatchOp | undefined {
  const { path, at, draft, complaints } = place;
  const { value, ...rest } = op;
  const { index, expression } = rest;
  const wrong = expression === undefined ? undefined : checkExpression(expression);
  if (wrong !== undefined) {
    complaints.add('EXPRESSION_INVALID', [{ path: inside(at, 'expression'), message: wrong }]);
  }
  const where = { at: inside(at, 'index') };
  const readable =
    index === undefined || complaints.attempt(() => viewOf(parameter.shape, index, where.at), where);
  const inline = value === undefined || typeof value === 'number';
  const inspected = inline
    ? undefined
    : complaints.attempt(() => inspectTensor(value, inside(at, 'value')), { at: inside(at, 'value') });
  if (wrong !== undefined || !readable || (!inline && !inspected)) return undefined;
  const outline = {
    ...rest,
    ...(inspected ? { value: inspected } : inline && value !== undefined && { value }),
  };
  const found = checkPatchOp(parameter.shape, outline, parameter.dtype);
  if (found.length > 0 && inspected && index === undefined && rest.op === 'set') {
    const shapes = [parameter.shape, inspected.shape].map((shape) => shape.join(', '));
    complaints.refuse('PARAMETER_SHAPE', [path, ...shapes], inside(at, 'value'));
    return undefined;
  }
  complaints.add(
    'PATCH_INVALID',
    found.map(({ path: field, message }) => ({ path: inside(at, field), message })),
  );
  if (found.length > 0) return undefined;
  if (!inspected) return outline as PlacedPatchOp;
  const tensor = { shape: inspected.shape, dtype: parameter.dtype, path: inside(at, 'value') };
  const staged = complaints.attempt(() => draft.stage(value, tensor), { at: tensor.path });
  return staged && { ...rest, value: staged };
}
