// Messages of the stream as Server-Sent Events (WHATWG HTML, 9.2): a socket as an outbox wants it, over an answer that does
// not end. An event's id is the epoch and revision of what it tells, with which a client that was away goes on.

import type { ServerResponse } from 'node:http';
import type { SendOptions, Socket } from '../models/outbox.js';

const OPEN = 1;
const CLOSED = 3;
/** After so long a client that was cut off comes back. */
const RETRY_MS = 1000;
/** Where the type, the epoch and the revision of a message are found: they come first. */
const HEAD_CHARACTERS = 1024;

const EVENT_ID = /^([\w-]{1,128})-(\d{1,15})$/;

/** What `Last-Event-ID` says; undefined where it is none of ours. */
export function readEventId(text: string): { epoch: string; after: number } | undefined {
  const [, epoch, revision] = EVENT_ID.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, after: Number(revision) };
}

/** A message of the stream as an event. JSON has no line breaks of its own. */
export function eventOf(message: string): string {
  const head = message.slice(0, HEAD_CHARACTERS);
  const [, type = 'message'] = /^\{"type":"(\w+)"/.exec(head) ?? [];
  const [, epoch, revision] = /"epoch":"([\w-]+)","revision":(\d+)/.exec(head) ?? [];
  const tells = type === 'change' || type === 'resync' || type === 'deleted';
  const id = tells && epoch !== undefined ? `id: ${epoch}-${revision}\n` : '';
  return `event: ${type}\n${id}data: ${message}\n\n`;
}

export class EventSocket implements Socket {
  private readonly response: ServerResponse;
  private readonly headers: Readonly<Record<string, number | string | string[] | undefined>>;

  constructor(response: ServerResponse, headers: EventSocket['headers']) {
    this.response = response;
    this.headers = headers;
  }

  get readyState(): number {
    return this.response.writableEnded || this.response.destroyed ? CLOSED : OPEN;
  }

  get bufferedAmount(): number {
    return this.response.writableLength + (this.response.socket?.writableLength ?? 0);
  }

  /** Text alone: nobody runs forwards here. */
  send(data: string | Uint8Array, _options: SendOptions, sent: () => void): void {
    if (this.readyState !== OPEN) return;
    this.begin();
    this.response.write(eventOf(String(data)), () => sent());
    if (typeof data === 'string' && data.startsWith('{"type":"deleted"')) this.response.end();
  }

  /** A comment: somebody is there. */
  beat(): void {
    if (this.readyState === OPEN) this.response.write(': \n\n');
  }

  close(code: number, reason: string): void {
    if (this.readyState !== OPEN) return;
    this.response.end(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
  }

  private begin(): void {
    if (this.response.headersSent) return;
    this.response.writeHead(200, {
      ...this.headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies that gather answers would hold events back.
      'x-accel-buffering': 'no',
    });
    this.response.write(`retry: ${RETRY_MS}\n\n`);
  }
}
