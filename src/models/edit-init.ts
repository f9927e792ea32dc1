// torch.nn.Module.apply with inits as data.

import { ApiError, type Fault } from '../errors.js';
import { didYouMean } from '../nearest.js';
import { defaultInits } from '../nn/architecture.js';
import { checkInit } from '../nn/init/apply.js';
import type { InitSpec } from '../nn/init/spec.js';
import { LAYERS, layerType, plainName } from '../nn/layers/table.js';
import { applyOrder, joinPath, type Module, type Named, type Parameter } from '../nn/module.js';
import { moduleAt, quoted, type Preparation } from './state.js';

export interface InitRule {
  readonly types?: readonly string[];
  readonly parameters?: readonly string[];
  readonly init: InitSpec;
}
export interface InitRequest {
  readonly module: string;
  readonly rules: readonly InitRule[];
  readonly seed?: number;
}

/** torch.nn.Module.apply with the rules as its function: for each module in apply's order, the rules in theirs. */
export function init(request: InitRequest): Preparation {
  return (state, draft) => {
    const { module: root, path: prefix } = moduleAt(state, request.module);
    const order = applyOrder(root, prefix);
    const faults = wrongNames(request.rules, order);
    const touched = new Map<Parameter, null>();
    const tasks: (() => void)[] = [];
    for (const { value: module, path } of order) {
      const defaults = defaultInits(module);
      request.rules.forEach((rule, i) => {
        if (rule.types && !rule.types.some((type) => layerType(type) === module.type)) return;
        for (const [name, parameter] of module.parameters) {
          const chosen = rule.parameters ? rule.parameters.includes(name) : parameter?.kind === 'parameter';
          if (!parameter || !chosen) continue;
          const own =
            rule.init.name === 'default' ? defaults.find((entry) => entry.name === name) : undefined;
          const spec = own ? withThen(own.init, rule.init) : rule.init;
          const integer = parameter.dtype !== 'float32' && !['default', 'zeros'].includes(rule.init.name);
          const wrong = integer ? `${rule.init.name} fills float32 only` : checkInit(spec, parameter.shape);
          if (wrong !== undefined)
            faults.push({ path: `rules[${i}].init`, message: `${joinPath(path, name)}: ${wrong}` });
          tasks.push(() => draft.init(draft.replace(parameter), spec, own?.zeroRow));
          touched.set(parameter, null);
        }
      });
    }
    if (faults.length > 0) throw new ApiError('INIT_INVALID', [], faults);
    if (request.seed !== undefined) draft.seed(request.seed);
    for (const task of tasks) task();
    return { kind: 'init', touched, answer: { seed: request.seed ?? null } };
  };
}

/** Names that mean nothing here: unknown layer types, and parameters that none of the modules can have. */
function wrongNames(rules: readonly InitRule[], modules: readonly Named<Module>[]): Fault[] {
  const known = new Set(['weight', 'bias', ...modules.flatMap(({ value }) => [...value.parameters.keys()])]);
  return rules.flatMap(({ types = [], parameters = [] }, i) => [
    ...types.flatMap((type, j) => {
      if (layerType(type)) return [];
      const hint = didYouMean(plainName(type), Object.keys(LAYERS));
      return [{ path: `rules[${i}].types[${j}]`, message: `unknown layer type ${quoted(type)}${hint}` }];
    }),
    ...parameters.flatMap((name, j) => {
      if (known.has(name)) return [];
      const message = `no module here has a parameter ${quoted(name)}${didYouMean(name, known)}`;
      return [{ path: `rules[${i}].parameters[${j}]`, message }];
    }),
  ]);
}

function withThen(spec: InitSpec, asked: InitSpec): InitSpec {
  return asked.then === undefined ? spec : { ...spec, then: asked.then };
}
