import { describe, expect, it } from 'vitest';
import { originAllowed } from '#src/plugins/origin.js';

const HOST = 'weights.example:8080';

describe('originAllowed', () => {
  it.each<[origin: string | undefined, host: string | undefined, allowed: string[]]>([
    [undefined, HOST, []],
    ['http://weights.example:8080', HOST, []],
    ['https://weights.example:8080', HOST, []],
    ['HTTP://Weights.Example:8080', HOST, []],
    ['http://weights.example:8080', 'WEIGHTS.example:8080', []],
    ['http://weights.example', 'weights.example', []],
    ['http://weights.example', 'weights.example:80', []],
    ['http://weights.example:80', 'weights.example', []],
    ['https://weights.example', 'weights.example:443', []],
    ['http://127.0.0.1:8080', '127.0.0.1:8080', []],
    ['http://[::1]:8080', '[::1]:8080', []],
    ['https://app.example', HOST, ['https://app.example']],
    ['https://app.example', HOST, ['https://other.example', 'https://App.example:443']],
    ['http://localhost:3000', HOST, ['http://localhost:3000']],
    ['https://anywhere.example', HOST, ['*']],
  ])('lets %s at %s in, allowed: %j', (origin, host, allowed) => {
    expect(originAllowed({ origin, host }, allowed)).toBe(true);
  });

  it.each<[origin: string, host: string | undefined, allowed: string[]]>([
    ['null', HOST, []],
    ['null', 'null', ['null']],
    ['', HOST, []],
    ['http://weights.example', HOST, []],
    ['http://weights.example:8081', HOST, []],
    ['http://weights.example:80800', HOST, []],
    ['https://weights.example', 'weights.example:80', []],
    ['http://weights.example', 'weights.example:443', []],
    ['http://weights.example:8080.evil.example', HOST, []],
    ['http://weights.example.evil.example:8080', HOST, []],
    ['http://evil-weights.example:8080', HOST, []],
    ['http://evil.example/weights.example:8080', HOST, []],
    ['http://weights.example:8080@evil.example', HOST, []],
    ['http://evil.example@weights.example:8080', HOST, []],
    ['http://evil.example#weights.example:8080', HOST, []],
    ['http://weights.example:8080/', HOST, []],
    ['http://weights.example:8080 ', HOST, []],
    ['http://weights.example:8080, http://evil.example', HOST, []],
    ['ws://weights.example:8080', HOST, []],
    ['file://weights.example:8080', HOST, []],
    ['weights.example:8080', HOST, []],
    ['http://weights.example.:8080', HOST, []],
    ['http://weights.example:8080', undefined, []],
    ['http://weights.example:8080', 'weights.example:8080/x', []],
    ['http://evil.example', 'user@evil.example', []],
    ['http://app.example', HOST, ['https://app.example']],
    ['https://sub.app.example', HOST, ['https://app.example']],
    ['https://app.example:8443', HOST, ['https://app.example']],
  ])('keeps %j at %s out, allowed: %j', (origin, host, allowed) => {
    expect(originAllowed({ origin, host }, allowed)).toBe(false);
  });
});
