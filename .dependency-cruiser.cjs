// Imports point one way: tensor ← random ← graph ← nn ← runtime ← datasets ← models ← plugins ← routes ← app ← main.
const LAYERS = [
  'src/tensor',
  'src/random',
  'src/graph',
  'src/nn',
  'src/runtime',
  'src/datasets',
  'src/models',
  'src/plugins',
  'routes',
  'src/app',
  'src/main',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    ...LAYERS.slice(0, -1).map((layer, i) => ({
      name: `${layer}-imports-only-what-is-below`,
      severity: 'error',
      from: { path: `^${layer}(/|\\.)` },
      to: { path: LAYERS.slice(i + 1).map((above) => `^${above}(/|\\.)`) },
    })),
    {
      name: 'kernels-stand-alone',
      severity: 'error',
      comment: 'AssemblyScript is compiled, never imported.',
      from: { pathNot: '^src/kernels/' },
      to: { path: '^src/kernels/' },
    },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/kernels/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
