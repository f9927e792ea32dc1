// A WebSocket client of the stream: keeps what it is sent in order, each message checked against the schemas.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket, type ClientOptions } from 'ws';
import { serverMessage, type ServerMessage } from '#src/models/stream-messages.js';

export class StreamClient {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #messages: ServerMessage[] = [];
  readonly #frames: Buffer[] = [];
  #wake: () => void = () => undefined;

  constructor(url: string, options?: ClientOptions) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.#frames.push(data);
      else this.#messages.push(serverMessage.parse(JSON.parse(data.toString())));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  /** Opened, and greeted. */
  static async open(url: string, options?: ClientOptions): Promise<StreamClient> {
    const client = new StreamClient(url, options);
    await once(client.socket, 'open');
    const { type } = await client.next();
    if (type !== 'hello') throw new Error(`the first message is ${type}`);
    return client;
  }

  send(message: unknown): void {
    const ready = typeof message === 'string' || Buffer.isBuffer(message);
    this.socket.send(ready ? message : JSON.stringify(message));
  }

  next(): Promise<ServerMessage> {
    return this.#first(this.#messages);
  }

  nextFrame(): Promise<Buffer> {
    return this.#first(this.#frames);
  }

  async #first<T>(queue: T[]): Promise<T> {
    for (;;) {
      const message = queue.shift();
      if (message !== undefined) return message;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('closed');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async take(count: number): Promise<ServerMessage[]> {
    const taken: ServerMessage[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** All that was sent before the answer to this ping. */
  async settled(): Promise<ServerMessage[]> {
    const id = `settled ${Math.random()}`;
    this.send({ type: 'ping', id });
    const taken: ServerMessage[] = [];
    for (;;) {
      const message = await this.next();
      if (message.type === 'pong' && message.id === id) return taken;
      taken.push(message);
    }
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** What a refused upgrade is answered with. */
export async function refusal(
  url: string,
  options?: ClientOptions,
): Promise<{ status: number; type: string; body: unknown }> {
  const socket = new WebSocket(url, options);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'] ?? '',
    body: JSON.parse(text) as unknown,
  };
}
