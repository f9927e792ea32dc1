// Named data sets: put from JSON, CSV or numpy's files, list, look, read rows, delete.

import { z } from 'zod';
import type { Datasets } from '../src/datasets/datasets.js';
import { ReceivedFile } from '../src/datasets/source.js';
import { explained } from '../src/models/failures.js';
import { count, documented, examples, strict, type App } from '../src/plugins/schema.js';
import { termsOf } from '../src/plugins/terms.js';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import {
  answer,
  answerTensors,
  datasetAnswer,
  datasetList,
  datasetSummary,
  problems,
  success,
} from './answers.js';
import { isRecord, layout } from './inputs.js';

const datasetParams = z.object({
  dataset: z
    .string()
    .describe('The name of a data set: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit.'),
});

/** Tensors by name, as they came: their codec decodes them. */
const columns = z
  .custom<Record<string, unknown>>((value) => isRecord(value), 'must be an object of tensors by name')
  .register(documented, {
    id: 'DatasetColumns',
    description: 'Tensors with the same number of rows; float32 where none says its dtype.',
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/TensorInput' },
  });

/** A file comes in the place of the columns that it has. */
const putBody = z
  .preprocess((body) => (body instanceof ReceivedFile ? { columns: body } : body), strict({ columns }))
  .meta(
    examples({
      columns: {
        x: [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ],
        y: { dtype: 'int64', shape: [4], data: [0, 1, 1, 0] },
      },
    }),
  );

const listQuery = strict({
  limit: count({ min: 1, max: 1000, fallback: 100 }),
  cursor: z.string().optional().describe('The `next_cursor` of the page before.'),
});

const readQuery = strict({
  rows: z
    .string('must be one index, e.g. 0:5')
    .optional()
    .describe(
      "Which rows' values: Python's index of one dimension, `0:5` · `-1` · `::2`; all where only columns are named.",
    )
    .meta(examples('0:5')),
  columns: z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.string()))
    .optional()
    .describe('Which columns: names with commas between; all where only rows are named.')
    .meta(examples(['x', 'y'])),
  layout,
});

export function datasetRoutes(app: App, datasets: Datasets, writer: AnswerWriter): void {
  app.get(
    '/v1/datasets',
    {
      schema: {
        operationId: 'listDatasets',
        summary: 'List data sets by name',
        tags: ['data'],
        querystring: listQuery,
        response: {
          200: success('A page of data sets, in order of name.', datasetList),
          ...problems('INVALID_REQUEST'),
        },
      },
    },
    async (request) => datasets.list(request.query),
  );

  app.put(
    '/v1/datasets/:dataset',
    {
      config: { changes: true, tensors: true, files: true },
      schema: {
        operationId: 'putDataset',
        summary: 'Make a data set, or replace it',
        tags: ['data'],
        params: datasetParams,
        body: putBody,
        response: {
          200: success('It is there in place of the one before.', datasetSummary),
          201: success('It is there.', datasetSummary),
          ...problems(
            'QUOTA_EXCEEDED',
            'BODY_TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
            'INVALID_REQUEST',
            'NAME_INVALID',
            'TENSOR_INVALID',
            'DATASET_INVALID',
            'OVERLOADED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { dataset } = request.params;
      const { created, summary } = await explained(() =>
        datasets.put(dataset, request.body.columns, termsOf(request, reply)),
      );
      if (created) reply.code(201).header('location', `/v1/datasets/${dataset}`);
      return answer(reply, summary);
    },
  );

  app.get(
    '/v1/datasets/:dataset',
    {
      schema: {
        operationId: 'getDataset',
        summary: 'Describe a data set, and read rows of it',
        tags: ['data'],
        params: datasetParams,
        querystring: readQuery,
        response: {
          200: success('What it is, and the values that were asked for.', datasetAnswer),
          ...problems(
            'DATASET_NOT_FOUND',
            'INVALID_REQUEST',
            'COLUMN_UNKNOWN',
            'INDEX_INVALID',
            'INDEX_OUT_OF_RANGE',
            'QUOTA_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { layout, ...query } = request.query;
      const body = await explained(() => datasets.read(request.params.dataset, query));
      return answerTensors(reply, body, { layout, writer });
    },
  );

  app.delete(
    '/v1/datasets/:dataset',
    {
      config: { changes: true },
      schema: {
        operationId: 'deleteDataset',
        summary: 'Delete a data set; what reads it goes on',
        tags: ['data'],
        params: datasetParams,
        response: { 204: z.null().describe('It is gone.'), ...problems('DATASET_NOT_FOUND') },
      },
    },
    async (request, reply) => {
      datasets.delete(request.params.dataset, termsOf(request, reply));
      return reply.code(204).send();
    },
  );
}
