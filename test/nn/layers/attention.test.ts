import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('MultiheadAttention and the transformer encoder, forward and backward', () =>
  itMatchesPyTorch(casesOf('attention')));
