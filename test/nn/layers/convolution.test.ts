import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Convolutions, forward and backward', () => itMatchesPyTorch(casesOf('convolution')));
