import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('Pads, forward and backward', () => itMatchesPyTorch(casesOf('padding')));
