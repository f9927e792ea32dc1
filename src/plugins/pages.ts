// The page at / and what it needs: files of public/, by name, and nothing else.

import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { fileURLToPath } from 'node:url';
import { setPageHeaders } from './headers.js';

const FOLDER = fileURLToPath(new URL('../../../public/', import.meta.url));

export async function servePages(app: FastifyInstance): Promise<void> {
  await app.register(async (pages) => {
    await setPageHeaders(pages);
    // wildcard false: a route for each file that is there at start, so that no path of a client's reaches the disk.
    await pages.register(fastifyStatic, { root: FOLDER, wildcard: false, decorateReply: false });
  });
}
