import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Transposed convolutions, forward and backward', () => itMatchesPyTorch(casesOf('transposed')));
