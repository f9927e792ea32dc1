import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Linear, forward and backward', () => itMatchesPyTorch(casesOf('linear')));
