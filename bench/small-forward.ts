// The smallest forward worth serving: a 4-8-1 network, batch 2. What it costs beyond its arithmetic is the server's part.

import autocannon from 'autocannon';

export const FORWARD = {
  inputs: [
    [0.1, 0.2, 0.3, 0.4],
    [0.5, 0.6, 0.7, 0.8],
  ],
};

export const ARCHITECTURE = {
  type: 'Sequential',
  children: [
    { type: 'Linear', in_features: 4, out_features: 8 },
    { type: 'ReLU' },
    { type: 'Linear', in_features: 8, out_features: 1 },
  ],
};

const CONNECTIONS = 64;

/** Its rate over HTTP, each connection asking again once it is answered. */
export async function httpPerSecond(url: string, seconds: number): Promise<number> {
  const result = await autocannon({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(FORWARD),
    connections: CONNECTIONS,
    duration: seconds,
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} failed, ${result.errors} broken`);
  return result['2xx'] / result.duration;
}
