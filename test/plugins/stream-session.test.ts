import { afterEach, describe, expect, it, vi } from 'vitest';
import { CHANGE_KINDS } from '#src/models/change-log.js';
import { ChangeTexts } from '#src/models/change-text.js';
import type { SendOptions } from '#src/models/outbox.js';
import type { HelloMessage } from '#src/models/stream-messages.js';
import { StreamSession, type SessionSocket } from '#src/plugins/stream-session.js';
import { ModelDirectory, WatchedModel } from '../models/watched-models.js';

const hello: HelloMessage = {
  type: 'hello',
  server: { name: 'weightroom', version: '0.0.0' },
  limits: {
    max_message_bytes: 1000,
    max_subscriptions: 1,
    max_models_per_subscription: 1,
    max_forwards: 1,
    high_water_bytes: 1000,
    hard_limit_bytes: 2000,
  },
};

class StubSocket implements SessionSocket {
  readyState = 1;
  bufferedAmount = 0;
  paused = false;
  terminated = false;
  closed: number | undefined;
  readonly sent: string[] = [];
  #unsent: (() => void)[] = [];

  send(data: string | Uint8Array, _options: SendOptions, sent: () => void): void {
    const text = String(data);
    this.sent.push(text);
    this.bufferedAmount += text.length;
    this.#unsent.push(sent);
  }

  drain(): void {
    this.bufferedAmount = 0;
    for (const sent of this.#unsent.splice(0)) sent();
  }

  close(code: number): void {
    this.closed = code;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  ping(): void {
    // Nobody answers.
  }

  terminate(): void {
    this.terminated = true;
  }
}

function start(directory = new ModelDirectory()) {
  const socket = new StubSocket();
  const limits = {
    maxSubscriptions: 2,
    maxModelsPerSubscription: 2,
    maxForwards: 2,
    highWaterBytes: 1000,
    hardLimitBytes: 2000,
    graceMs: 1,
    heartbeatMs: 1000,
    keptTextLength: 1000,
  };
  const log = { info: () => undefined, error: () => undefined };
  return {
    socket,
    session: new StreamSession({
      socket,
      connection: { cork: () => undefined, uncork: () => undefined, write: () => undefined },
      directory,
      models: { find: () => undefined },
      texts: new ChangeTexts(1000),
      limits,
      hello,
      log,
    }),
  };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('StreamSession', () => {
  it('does not read a client that asks and does not read: unsent answers stay within the high-water mark and one more', () => {
    const { socket, session } = start();
    let asked = 0;
    while (!socket.paused) {
      session.receive(Buffer.from(JSON.stringify({ type: 'ping', id: 'x'.repeat(100) })), false);
      expect(++asked).toBeLessThan(20);
    }
    expect(socket.bufferedAmount).toBeLessThan(1200);
    socket.drain();
    expect(socket.paused).toBe(false);
  });

  it('reads on once it closes a client with 4008: the answer to the closing is still to come', () => {
    vi.useFakeTimers();
    const net = new WatchedModel('net');
    const { socket, session } = start(new ModelDirectory(net));
    session.receive(Buffer.from('{"type":"subscribe"}'), false);
    while (socket.bufferedAmount <= 2000) net.change();
    net.change();
    session.receive(Buffer.from('{"type":"ping"}'), false);
    expect([socket.paused, socket.closed]).toEqual([true, undefined]);
    vi.advanceTimersByTime(1);
    expect([socket.paused, socket.closed]).toEqual([false, 4008]);
  });

  it('tells what a detail and a kind may be, and which was meant', () => {
    const { socket, session } = start();
    session.receive(Buffer.from('{"type":"subscribe","detail":"value","kinds":["patched",7]}'), false);
    const { errors } = JSON.parse(socket.sent[1]!) as { errors: { path: string; message: string }[] };
    const kinds = `must be one of ${CHANGE_KINDS.join(', ')}`;
    expect(errors.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'detail', message: 'must be one of none, stats, histogram, values; did you mean values?' },
      { path: 'kinds[0]', message: `${kinds}; did you mean patch?` },
      { path: 'kinds[1]', message: kinds },
    ]);
  });

  it('terminates a socket from which nothing came for two heartbeats; any message counts', () => {
    const { socket, session } = start();
    for (let i = 0; i < 5; i++) {
      session.beat();
      session.receive(Buffer.from('{"type":"ping"}'), false);
    }
    session.beat();
    session.beat();
    expect(socket.terminated).toBe(false);
    session.beat();
    expect(socket.terminated).toBe(true);
  });

  it('answers nothing, and holds nothing, once it is over', () => {
    const directory = new ModelDirectory(new WatchedModel('net'));
    const { socket, session } = start(directory);
    session.close();
    session.receive(Buffer.from('{"type":"subscribe","id":"a"}'), false);
    expect([directory.listeners, socket.sent.length]).toEqual([0, 1]);
  });
});
