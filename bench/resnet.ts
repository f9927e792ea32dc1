// How fast is a forward of a network shaped as ResNet-18, for images of 64 × 64, beside onnxruntime and PyTorch, on one
// thread? And where does its time go?

import { compareSides } from './module-comparison.js';
import type { ResnetJob } from './peers/resnet-job.js';

const sides = { work: 'resnet', script: 'resnet-ours.js' };
await compareSides<ResnetJob>(sides, { 'batch 1': { batch: 1 }, 'batch 8': { batch: 8 } });
