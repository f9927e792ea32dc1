import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Upsampling, pixel shuffles and new shapes, forward and backward', () =>
  itMatchesPyTorch(casesOf('upsampling')));
