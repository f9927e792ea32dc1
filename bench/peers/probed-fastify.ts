// What the same takes without us: a Fastify route that parses a body of any size, and answers an array of float32 as
// JSON.stringify writes it. With a probe.

import fastify from 'fastify';
import { answerProbes } from './probe.js';

const [rows, width] = JSON.parse(process.env.SHAPE ?? '[1, 1]') as [number, number];
const outputs = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));
const app = fastify({ logger: false, bodyLimit: 2 ** 26 });
app.get('/readyz', () => ({ ok: true }));
app.post('/read', () => ({ ok: true }));
app.post('/write', () => ({ outputs: { shape: [rows, width], data: Array.from(outputs) } }));
await app.listen({ port: Number(process.env.WEIGHTROOM_PORT), host: '127.0.0.1' });
answerProbes(Number(process.env.PROBE_PORT));
process.once('SIGTERM', () => void app.close());
