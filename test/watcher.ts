// A WebSocket that watches models: keeps every change it is sent, and waits for one by model and revision.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { TestServer } from './server.js';

export interface ChangeMessage {
  type: 'change';
  id: string;
  model: string;
  epoch: string;
  revision: number;
  kind: string;
  parameters: {
    path: string;
    aliases: string[];
    index: string | null;
    value?: { dtype: string; shape: number[]; data: number[] };
  }[];
}

export interface Watcher {
  /** Resolves when the change has arrived, at once if it has already. */
  change(model: string, revision: number): Promise<ChangeMessage>;
  revisions(model: string): number[];
  close(): void;
}

/** Subscribes and waits for `subscribed`. */
export async function watch(server: TestServer, path: string, subscription: object): Promise<Watcher> {
  const socket = new WebSocket(server.url.replace('http', 'ws') + path);
  const changes: ChangeMessage[] = [];
  const waiting = new Set<() => void>();
  const subscribed = new Promise<void>((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as
        ChangeMessage | { type: 'subscribed' | 'hello' | 'error' };
      if (message.type === 'subscribed') resolve();
      if (message.type === 'error') reject(new Error(JSON.stringify(message)));
      if (message.type === 'change') changes.push(message);
      for (const check of waiting) check();
    });
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'subscribe', id: 'watcher', ...subscription }));
  await subscribed;
  return {
    change(model, revision) {
      return new Promise((resolve) => {
        const check = (): void => {
          const found = changes.find((change) => change.model === model && change.revision === revision);
          if (!found) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      });
    },
    revisions: (model) => changes.filter((change) => change.model === model).map(({ revision }) => revision),
    close: () => socket.close(),
  };
}
