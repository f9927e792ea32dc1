import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Graph, forward and backward', () => itMatchesPyTorch(casesOf('graph')));
