// The least that a Fastify route can do: parse a JSON body, answer a JSON body of a given size.

import fastify from 'fastify';

const answer: unknown = JSON.parse(process.env.ANSWER ?? '{}');
const app = fastify({ logger: false });
app.get('/readyz', () => ({ ok: true }));
app.post('/forward', () => answer);
await app.listen({ port: Number(process.env.WEIGHTROOM_PORT), host: '127.0.0.1' });
process.once('SIGTERM', () => void app.close());
