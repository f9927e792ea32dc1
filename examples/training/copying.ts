// A tiny transformer that copies: it is shown some symbols, then blanks, and is to say the symbols where the blanks are.
// Only attention brings them there. Positions are a second input, with an embedding of their own.

import { Random } from './random.js';
import type { Server } from './server.js';

const SYMBOLS = 8;
/** The symbol for "say it now". */
const BLANK = 0;
const WIDTH = 32;

function architecture(length: number) {
  const embedding = (rows: number) => ({ type: 'Embedding', num_embeddings: rows, embedding_dim: WIDTH });
  const encoderLayer = {
    ...{ type: 'TransformerEncoderLayer', d_model: WIDTH, nhead: 4, dim_feedforward: 64 },
    ...{ dropout: 0, batch_first: true },
  };
  return {
    type: 'Graph',
    inputs: ['symbols', 'positions'],
    nodes: [
      { name: 'what', module: embedding(SYMBOLS + 1), inputs: ['symbols'] },
      { name: 'where', module: embedding(2 * length), inputs: ['positions'] },
      { name: 'both', op: 'add', inputs: ['what', 'where'] },
      {
        name: 'encoder',
        module: { type: 'TransformerEncoder', encoder_layer: encoderLayer, num_layers: 2 },
        inputs: ['both'],
      },
      { name: 'heard', op: 'select', index: `:, ${length}:`, inputs: ['encoder'] },
      {
        name: 'head',
        module: { type: 'Linear', in_features: WIDTH, out_features: SYMBOLS + 1 },
        inputs: ['heard'],
      },
      // Classes are dimension 1 of what cross_entropy takes.
      { name: 'said', op: 'transpose', dim0: 1, dim1: 2, inputs: ['head'] },
    ],
    outputs: ['said'],
  };
}

/** The loss of the last epoch, and the share of symbols copied right of sequences that it has not seen. */
export async function copying(server: Server, { length = 6, sequences = 2000, epochs = 20 } = {}) {
  const random = new Random(3);
  const one = () => Array.from({ length }, () => 1 + random.below(SYMBOLS));
  const batch = (n: number) => {
    const said = Array.from({ length: n }, one);
    const blanks = Array<number>(length).fill(BLANK);
    const positions = Array.from({ length: 2 * length }, (_, i) => i);
    return {
      inputs: { symbols: said.map((s) => [...s, ...blanks]), positions: said.map(() => positions) },
      targets: said,
    };
  };
  const [seen, unseen] = [batch(sequences), batch(200)];
  return server.withModel(architecture(length), 0, async (model) => {
    const { history } = await model.train({
      optimizer: { name: 'Adam', lr: 0.003 },
      loss: 'cross_entropy',
      ...{ ...seen, epochs, batch_size: 50, shuffle: true, seed: 0 },
    });
    const { shape, data } = await model.forward(unseen.inputs);
    const [, classes = 0] = shape;
    const said = (row: number, at: number): number => {
      const logit = (symbol: number): number => data[(row * classes + symbol) * length + at]!;
      return Array.from({ length: classes }, (_, symbol) => symbol).reduce((a, b) =>
        logit(b) > logit(a) ? b : a,
      );
    };
    const right = unseen.targets.flatMap((symbols, row) =>
      symbols.map((symbol, at) => said(row, at) === symbol),
    );
    return { loss: history.at(-1)!.loss, accuracy: right.filter(Boolean).length / right.length };
  });
}
