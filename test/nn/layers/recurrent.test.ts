import { describe } from 'vitest';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('RNN, LSTM and GRU, forward and backward', () => itMatchesPyTorch(casesOf('recurrent')));
