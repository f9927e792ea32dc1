import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Residual, Parallel and Lambda, forward and backward', () =>
  itMatchesPyTorch(casesOf('containers')));
