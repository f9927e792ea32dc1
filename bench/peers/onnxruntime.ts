// onnxruntime-node as its documentation has it: a session for a graph, run again and again on one input.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { encodeModel, type OnnxGraph } from './onnx.js';

interface Tensor {
  readonly data: Float32Array;
}
interface Session {
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
interface Onnxruntime {
  readonly env: { readonly versions: { readonly node?: string } };
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}
const ort = createRequire(resolve('bench/package.json'))('onnxruntime-node') as Onnxruntime;

/** `run` answers the graph's output. */
export async function openSession(graph: OnnxGraph, input: Float32Array, threads: number) {
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  const feeds = { [graph.input.name]: new ort.Tensor('float32', input, graph.input.dims) };
  return {
    version: ort.env.versions.node ?? 'unknown',
    run: async (): Promise<Tensor> => (await session.run(feeds))[graph.output.name]!,
    close: () => session.release(),
  };
}
