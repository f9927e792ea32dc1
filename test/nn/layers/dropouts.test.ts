import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('dropouts, forward and backward', () => itMatchesPyTorch(casesOf('dropouts')));
