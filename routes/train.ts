// Training jobs: started on a model, asked about and cancelled by their id.

import { z } from 'zod';
import type { Datasets } from '../src/datasets/datasets.js';
import type { SelectRequest } from '../src/datasets/select.js';
import { ApiError } from '../src/errors.js';
import type { Job } from '../src/models/jobs.js';
import type { Registry } from '../src/models/registry.js';
import { PACES } from '../src/models/training-schedule.js';
import { MODES } from '../src/nn/layer.js';
import { examples, flag, strict, type App } from '../src/plugins/schema.js';
import { priority, termsHeaders, termsOf, timeout } from '../src/plugins/terms.js';
import { jobAnswer, jobList, problems, success, tag } from './answers.js';
import { examplesOf, loss, modelParams, path, seed } from './inputs.js';

const positive = (what: string) => z.int(`must be a whole number of ${what}`).min(1, 'must be at least 1');
const above0 = z.number('must be a number').positive('must be above 0');

/** Tensors, or with `dataset` names of its columns: one as it is, several side by side, or by what the module or loss takes. */
const columns = z.union([
  z.string(),
  z.array(z.string()).min(1),
  z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])),
]);

const dataset = z
  .string('must be the name of a data set')
  .describe('A data set: `inputs` and `targets` name its columns then.');

const trainBody = strict({
  dataset: dataset.optional(),
  optimizer: z
    .looseObject({ name: z.string('must be the name of an optimizer') })
    .describe(
      'An optimizer of torch.optim by name, with its options beside it; `groups` have options of their own.',
    ),
  loss,
  inputs: examplesOf,
  targets: examplesOf,
  module: path.default('').describe('The module to train; "" is the whole network.'),
  epochs: positive('epochs').max(1_000_000).default(1),
  batch_size: positive('rows').optional().describe('All rows where absent.'),
  shuffle: z.boolean('must be true or false').default(false).describe('In another order each epoch.'),
  drop_last: z.boolean('must be true or false').default(false),
  seed: seed
    .optional()
    .describe("For the order and dropout; goes on with the model's own generator where absent."),
  scheduler: z
    .looseObject({
      name: z.string('must be the name of a scheduler'),
      pace: z.enum(PACES, 'must be epoch or step').optional(),
    })
    .optional()
    .describe(
      'A scheduler of torch.optim.lr_scheduler by name; it goes on after each epoch, or each step (`pace`).',
    ),
  clip_grad_norm: z
    .union([above0, strict({ max_norm: above0, norm_type: z.number().positive().default(2) })])
    .optional(),
  clip_grad_value: above0.optional(),
  commit_every: positive('steps')
    .optional()
    .describe('A revision each so many steps; each epoch where absent.'),
  mode: z.enum(MODES, 'must be eval or train').default('train'),
  validation: strict({ dataset: dataset.optional(), inputs: examplesOf, targets: examplesOf }).optional(),
  early_stopping: strict({
    patience: positive('epochs'),
    min_delta: z.number('must be a number').min(0, 'must not be negative').default(0),
  })
    .optional()
    .describe(
      'Ends when the loss (of the validation, if there is one) has not got better for `patience` epochs.',
    ),
  resume: z
    .boolean('must be true or false')
    .default(false)
    .describe("Goes on with the optimizer's state that the model has."),
  timeout: timeout.optional(),
  priority: priority.optional(),
}).meta(
  examples(
    {
      optimizer: { name: 'SGD', lr: 0.1 },
      loss: { name: 'mse_loss' },
      inputs: [
        [0, 0, 1, 0],
        [1, 1, 0, 0],
      ],
      targets: [[0], [1]],
      epochs: 2,
    },
    {
      optimizer: { name: 'Adam' },
      loss: { name: 'mse_loss' },
      dataset: 'data',
      inputs: 'x',
      targets: ['y'],
    },
  ),
);

const trainQuery = strict({ wait: flag(false).describe('Answer when it is over.') });
const jobParams = z.object({ job: z.string().describe('The id of a job.') });

interface Examples {
  readonly dataset?: string | undefined;
  readonly inputs: unknown;
  readonly targets: unknown;
}

/** Columns in the places of their names, held until `release`. Throws INVALID_REQUEST, DATASET_NOT_FOUND, COLUMN_UNKNOWN. */
function selectExamples(
  datasets: Datasets,
  { dataset: name, ...given }: Examples,
  path = '',
): { inputs: unknown; targets: unknown; release: () => void } {
  if (name === undefined) return { ...given, release: () => undefined };
  const faults = (['inputs', 'targets'] as const).flatMap((field) =>
    columns.safeParse(given[field]).success
      ? []
      : [{ path: `${path}${field}`, message: `must name columns of the data set ${JSON.stringify(name)}` }],
  );
  if (faults.length > 0) throw new ApiError('INVALID_REQUEST', [], faults);
  const selection = datasets.select({ dataset: name, ...given } as SelectRequest);
  return { inputs: selection.inputs, targets: selection.targets, release: () => selection.release() };
}

export function trainRoutes(app: App, models: Registry, datasets: Datasets): void {
  app.post(
    '/v1/models/:model/train',
    {
      config: { changes: true, prioritized: true, tensors: true },
      schema: {
        operationId: 'train',
        summary: 'Train a model: starts a job',
        tags: ['training'],
        params: modelParams,
        headers: termsHeaders,
        querystring: trainQuery,
        body: trainBody,
        response: {
          200: success('With wait: the job when it is over, whatever became of it.', jobAnswer),
          202: success('It has begun; Location is where to ask about it.', jobAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'DATASET_NOT_FOUND',
            'JOB_RUNNING',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'TENSOR_INVALID',
            'COLUMN_UNKNOWN',
            'VALUE_INVALID',
            'SHAPE_MISMATCH',
            'NOT_CALLABLE',
            'NOT_DIFFERENTIABLE',
            'WORKER_LOST',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { timeout: _, priority: __, dataset: name, validation, ...body } = request.body;
      const model = models.get(request.params.model);
      const held: (() => void)[] = [];
      const select = (examples: Examples, path?: string): Pick<Examples, 'inputs' | 'targets'> => {
        const { release, ...tensors } = selectExamples(datasets, examples, path);
        held.push(release);
        return tensors;
      };
      const letGo = (): void => {
        for (const release of held) release();
      };
      let job: Job;
      try {
        const examples = select({ dataset: name, inputs: body.inputs, targets: body.targets });
        const other = validation && select(validation, 'validation.');
        const terms = termsOf(request, reply, request.body);
        job = await model.train({ ...body, ...examples, validation: other }, terms);
      } catch (error) {
        letGo();
        throw error;
      }
      void job.over.then(letGo);
      if (request.query.wait) await job.over;
      return tag(reply, model.identity())
        .code(request.query.wait ? 200 : 202)
        .header('location', `/v1/jobs/${job.id}`)
        .send(job.report());
    },
  );

  app.get(
    '/v1/jobs',
    {
      schema: {
        operationId: 'listJobs',
        summary: 'List training jobs, the latest first',
        tags: ['training'],
        querystring: strict({ model: z.string().optional() }),
        response: {
          200: success('Those that run, and the latest that are over.', jobList),
          ...problems('INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) =>
      reply.send({
        jobs: models.jobs.list(request.query.model).map((job) => {
          const { losses: _, history: __, ...summary } = job.report();
          return summary;
        }),
      }),
  );

  app.get(
    '/v1/jobs/:job',
    {
      schema: {
        operationId: 'getJob',
        summary: 'Ask about a job',
        tags: ['training'],
        params: jobParams,
        response: { 200: success('What became of it so far.', jobAnswer), ...problems('JOB_NOT_FOUND') },
      },
    },
    async (request, reply) => reply.send(models.jobs.get(request.params.job).report()),
  );

  app.delete(
    '/v1/jobs/:job',
    {
      schema: {
        operationId: 'cancelJob',
        summary: 'Cancel a job; the last commit stays',
        tags: ['training'],
        params: jobParams,
        response: { 200: success('It is over.', jobAnswer), ...problems('JOB_NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const job = models.jobs.get(request.params.job);
      job.cancel();
      await job.over;
      return reply.send(job.report());
    },
  );
}
