import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { holdOff, INTERVAL_MS, READ_PER_INTERVAL } from '#src/plugins/hold-off.js';

/** Connections whose requests are refused; `read` counts those that are read. */
function connections(count: number, body = { complete: true }) {
  const sockets = Array.from({ length: count }, () => {
    let paused = false;
    return {
      destroyed: false,
      isPaused: () => paused,
      pause: () => void (paused = true),
      resume: () => void (paused = false),
    };
  });
  return {
    sockets,
    refuse: () => {
      for (const socket of sockets) {
        const request = {
          socket,
          resume: () => undefined,
          get complete() {
            return body.complete;
          },
        };
        holdOff(request as unknown as IncomingMessage);
      }
    },
    read: () => sockets.filter((socket) => !socket.isPaused()).length,
  };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] }));
afterEach(() => {
  vi.runAllTimers();
  vi.useRealTimers();
});

/** The end of the event loop's turn; an immediate of a timer's turn is a millisecond later to these clocks. */
const turn = () => vi.advanceTimersByTime(1);

describe('connections on which requests were refused', () => {
  it('are not read from the end of the turn on', () => {
    const { refuse, read } = connections(3);
    refuse();
    expect(read()).toBe(3);
    turn();
    expect(read()).toBe(0);
  });

  it('are read again after a moment where they are few', () => {
    const { refuse, read } = connections(READ_PER_INTERVAL);
    refuse();
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(read()).toBe(READ_PER_INTERVAL);
  });

  it('are read again so many at a time, in order, where they are many', () => {
    const { sockets, refuse, read } = connections(3 * READ_PER_INTERVAL);
    refuse();
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(read()).toBe(READ_PER_INTERVAL);
    expect(sockets[READ_PER_INTERVAL - 1]!.isPaused()).toBe(false);
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(read()).toBe(2 * READ_PER_INTERVAL);
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(read()).toBe(3 * READ_PER_INTERVAL);
  });

  it('are all read after a second, however many', () => {
    const { refuse, read } = connections(300 * READ_PER_INTERVAL);
    refuse();
    vi.advanceTimersByTime(900);
    expect(read()).toBe(90 * READ_PER_INTERVAL);
    vi.advanceTimersByTime(100 + 2 * INTERVAL_MS);
    expect(read()).toBe(300 * READ_PER_INTERVAL);
  });

  it('are read for one turn in each moment while the body is not all there', () => {
    const body = { complete: false };
    const { refuse, read } = connections(1, body);
    refuse();
    turn();
    for (let i = 0; i < 5; i++) {
      expect(read()).toBe(0);
      vi.advanceTimersToNextTimer();
      expect(read()).toBe(1);
      turn();
    }
    expect(read()).toBe(0);
    body.complete = true;
    vi.advanceTimersToNextTimer();
    turn();
    expect(read()).toBe(1);
  });

  it('that somebody else has paused are left to them', () => {
    const { sockets, refuse } = connections(1);
    refuse();
    sockets[0]!.pause();
    turn();
    vi.advanceTimersByTime(10 * INTERVAL_MS);
    expect(sockets[0]!.isPaused()).toBe(true);
  });

  it('that broke are let go of', () => {
    const { sockets, refuse, read } = connections(1);
    refuse();
    sockets[0]!.destroyed = true;
    turn();
    expect(read()).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
