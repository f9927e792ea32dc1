import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';

describe('the page at /', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ workers: 1 });
  });
  afterAll(() => server.stop());

  it('links to the reference, and every link of it answers', async () => {
    const client = supertest(server.app.server);
    const page = await client
      .get('/')
      .expect(200)
      .expect('content-type', /text\/html/);
    const links = [...page.text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href!);
    expect(links).toContain('/docs');
    for (const link of links) await client.get(link).redirects(1).expect(200);
  });

  it('may load from this server only', async () => {
    const page = await supertest(server.app.server).get('/');
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  });

  it.each([
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2fpackage.json',
    '/index.html/..',
    '/.git/config',
  ])('is not a way to other files: %s', async (path) => {
    const { status, body } = (await supertest(server.app.server).get(path)) as {
      status: number;
      body: { code: string };
    };
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'ROUTE_NOT_FOUND' });
  });
});
