// Gradients: a backward pass adds to them, zero_grad takes them away.

import { z } from 'zod';
import { captureSchema, interventionsSchema } from '../src/models/inside-schema.js';
import type { Registry } from '../src/models/registry.js';
import { MODES } from '../src/nn/layer.js';
import { examples, strict, type App } from '../src/plugins/schema.js';
import { priority, termsHeaders, termsOf, timeout } from '../src/plugins/terms.js';
import type { AnswerWriter } from '../src/runtime/answer-writer.js';
import {
  answer,
  answerTensors,
  backwardAnswer,
  changedAnswer,
  gradcheckAnswer,
  problems,
  success,
} from './answers.js';
import { inputs, layout, loss, modelParams, path, targets, tensor } from './inputs.js';

const module = path.default('').describe('The module whose output it is; "" is the whole network.');

const backwardBody = strict({
  inputs,
  targets: targets.optional().describe('What the loss compares the output with.'),
  loss: loss.optional(),
  output_grad: tensor.optional().describe('In place of loss and targets: the gradient of the output.'),
  module,
  mode: z
    .enum(MODES, 'must be eval or train')
    .default('eval')
    .describe('As after net.eval() or net.train().'),
  input_grad: z
    .boolean('must be true or false')
    .default(false)
    .describe('Answer the gradient of the inputs too.'),
  capture: captureSchema.optional(),
  capture_grad: z
    .boolean('must be true or false')
    .default(false)
    .describe('Answer the gradients of what is captured too, as `captured_grads`.'),
  interventions: interventionsSchema.optional(),
  timeout: timeout.optional(),
  priority: priority.optional(),
})
  .refine(({ capture, capture_grad: wanted }) => !wanted || capture !== undefined, {
    path: ['capture_grad'],
    message: 'of what? there is no capture',
  })
  .meta(
    examples(
      { inputs: [[1, 2, 3, 4]], targets: [[1]], loss: { name: 'mse_loss' } },
      { inputs: [[1, 2, 3, 4]], output_grad: [[1]], input_grad: true },
      { inputs: [[1, 2, 3, 4]], output_grad: [[1]], capture: ['0'], capture_grad: true },
    ),
  );

const positive = z.number('must be a number').positive('must be above 0');

const gradcheckBody = strict({
  inputs,
  targets: targets.optional(),
  loss: loss.optional(),
  output_grad: tensor.optional(),
  module,
  mode: z.enum(MODES, 'must be eval or train').default('eval'),
  epsilon: positive.default(1e-3).describe('How far an element is moved either way.'),
  rtol: positive.default(1e-2),
  atol: positive.default(1e-3),
  samples: z.int().min(1).max(4096).default(16).describe('Elements of each parameter that are checked.'),
  timeout: timeout.optional(),
  priority: priority.optional(),
}).meta(examples({ inputs: [[1, 2, 3, 4]], targets: [[1]], loss: { name: 'mse_loss' } }));

const zeroGradBody = strict({
  module: path.default('').describe('The subtree; "" is the whole network.'),
}).meta(examples({ module: '' }));

export function backwardRoutes(app: App, models: Registry, writer: AnswerWriter): void {
  app.post(
    '/v1/models/:model/backward',
    {
      config: { changes: true, prioritized: true, tensors: true },
      schema: {
        operationId: 'backward',
        summary: 'Compute gradients: loss.backward()',
        description:
          'Adds to the gradients of all parameters with requires_grad that the loss depends on, as autograd does.',
        tags: ['training'],
        params: modelParams,
        headers: termsHeaders,
        querystring: strict({ layout }),
        body: backwardBody,
        response: {
          200: success('The loss, and whose gradients changed.', backwardAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'PARAMETER_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'TENSOR_INVALID',
            'VALUE_INVALID',
            'SHAPE_MISMATCH',
            'INDEX_INVALID',
            'INDEX_OUT_OF_RANGE',
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
      const { timeout: _, priority: __, capture_grad: captureGrad, ...body } = request.body;
      const terms = termsOf(request, reply, request.body);
      const made = await models.get(request.params.model).backward({ ...body, captureGrad }, terms);
      return answerTensors(reply, made, { layout: request.query.layout, writer });
    },
  );

  app.post(
    '/v1/models/:model/gradcheck',
    {
      config: { prioritized: true, tensors: true },
      schema: {
        operationId: 'gradcheck',
        summary: 'Compare gradients with central differences: torch.autograd.gradcheck',
        description:
          'An element passes where |gradient - difference| <= atol + rtol · |difference|. Nothing changes.',
        tags: ['training'],
        params: modelParams,
        headers: termsHeaders,
        body: gradcheckBody,
        response: {
          200: success('Whether all elements passed, and the worst.', gradcheckAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'QUOTA_EXCEEDED',
            'INVALID_REQUEST',
            'TENSOR_INVALID',
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
      const { timeout: _, priority: __, ...body } = request.body;
      const terms = termsOf(request, reply, request.body);
      return answer(reply, await models.get(request.params.model).checkGradients(body, terms));
    },
  );

  app.post(
    '/v1/models/:model/zero_grad',
    {
      config: { changes: true },
      schema: {
        operationId: 'zeroGrad',
        summary: 'Clear gradients: net.zero_grad()',
        description: 'They are null until the next backward.',
        tags: ['training'],
        params: modelParams,
        headers: termsHeaders,
        body: zeroGradBody,
        response: {
          200: success('It is done; whose gradients are gone.', changedAnswer),
          ...problems(
            'MODEL_NOT_FOUND',
            'MODULE_NOT_FOUND',
            'INVALID_REQUEST',
            'OVERLOADED',
            'DEADLINE_EXCEEDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const terms = termsOf(request, reply);
      return answer(reply, await models.get(request.params.model).zeroGrad(request.body, terms));
    },
  );
}
