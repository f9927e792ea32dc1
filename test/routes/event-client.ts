// A client of the events: reads them as they come, each message checked against the schemas.

import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { serverMessage, type ServerMessage } from '#src/models/stream-messages.js';

export interface Event {
  readonly event: string;
  readonly id: string | undefined;
  /** undefined: it is no message of the stream. */
  readonly message: ServerMessage | undefined;
}

export class EventClient {
  readonly answered: Promise<IncomingMessage>;
  private readonly sent: ClientRequest;
  private readonly events: Event[] = [];
  private text = '';
  private ended = false;
  private wake: () => void = () => undefined;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.sent = request(url, { headers, agent: false });
    this.answered = once(this.sent, 'response').then(([answer]) => answer as IncomingMessage);
    this.sent.on('response', (answer) => {
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => this.read(chunk));
      answer.on('error', () => undefined);
      answer.on('close', () => {
        this.ended = true;
        this.wake();
      });
    });
    // Hung up on before it was answered.
    this.answered.catch(() => undefined);
    this.sent.end();
  }

  /** The next event; undefined where there is none any more. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const event = this.events.shift();
      if (event || this.ended) return event;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  close(): void {
    this.sent.destroy();
  }

  private read(chunk: string): void {
    this.text += chunk;
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.split(': ', 1)[0]!, line.replace(/^\w*: /, '')]),
      );
      const event = fields.get('event');
      if (event === undefined) continue;
      const data: unknown = JSON.parse(fields.get('data')!);
      const message = event === 'close' ? undefined : serverMessage.parse(data);
      this.events.push({ event, id: fields.get('id'), message });
    }
    this.wake();
  }
}
