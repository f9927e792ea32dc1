import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Pools, forward and backward', () => itMatchesPyTorch(casesOf('pooling')));
