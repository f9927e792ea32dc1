// The names of layers, options and paths are suggested by the same rule as every other name.

export { didYouMean, nearest } from '../nearest.js';
