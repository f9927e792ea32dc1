import { describe, expect, it } from 'vitest';
import { subscribeMessage } from '#src/models/stream-messages.js';

describe('a subscription with a word that is none', () => {
  it.each([
    [{ kinds: ['pacth'] }, 'kinds.0', /^must be one of build, patch, .*; did you mean patch\?$/],
    [{ detail: 'everything' }, 'detail', /^must be one of none, stats, values$/],
    [{ detail: 3 }, 'detail', /^must be one of none, stats, values$/],
  ])('%j is told what the words are', (wrong, path, message) => {
    const { error } = subscribeMessage.safeParse({ type: 'subscribe', ...wrong });
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
    expect(error?.issues[0]?.message).toMatch(message);
  });
});
