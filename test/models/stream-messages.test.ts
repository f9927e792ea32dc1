import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientMessage, forwardHeader, plainForward, subscribeMessage } from '#src/models/stream-messages.js';

describe('a subscription with a word that is none', () => {
  it.each([
    [{ kinds: ['pacth'] }, 'kinds.0', /^must be one of build, patch, .*; did you mean patch\?$/],
    [{ detail: 'everything' }, 'detail', /^must be one of none, stats, histogram, values$/],
    [{ detail: 3 }, 'detail', /^must be one of none, stats, histogram, values$/],
  ])('%j is told what the words are', (wrong, path, message) => {
    const { error } = subscribeMessage.safeParse({ type: 'subscribe', ...wrong });
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
    expect(error?.issues[0]?.message).toMatch(message);
  });
});

describe('the bins of a subscription', () => {
  const fault = (given: object): string[] =>
    (subscribeMessage.safeParse({ type: 'subscribe', ...given }).error?.issues ?? []).map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );

  it('are how many, or edges, and are those of a histogram', () => {
    expect(fault({ detail: 'histogram', bins: 8 })).toEqual([]);
    expect(fault({ detail: 'histogram', bins: [-1, 0, 1] })).toEqual([]);
    expect(fault({ detail: 'stats', bins: 8 })).toEqual([
      'bins: are those of a histogram: detail must be histogram',
    ]);
    expect(fault({ detail: 'histogram', bins: 0 })).toEqual([
      'bins: must be a whole number from 1 to 1024, or edges',
    ]);
    expect(fault({ detail: 'histogram', bins: [1, 0] })).toEqual([
      'bins: edges must ascend: 0 comes after 1',
    ]);
    expect(fault({ detail: 'histogram', bins: 'many' })).toEqual([
      'bins: must be how many bins, or a list of their edges',
    ]);
  });
});

describe('a forward that goes past the schemas', () => {
  const sometimes = <T>(right: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: right }, fc.jsonValue());
  const fields = {
    type: sometimes(fc.constant('forward')),
    id: sometimes(fc.oneof(fc.string({ maxLength: 130 }), fc.integer(), fc.double())),
    model: sometimes(fc.string({ minLength: 0, maxLength: 66 })),
    module: sometimes(fc.string()),
    inputs: fc.jsonValue(),
    shape: sometimes(fc.array(fc.oneof(fc.nat(), fc.integer(), fc.double()), { maxLength: 3 })),
    dtype: sometimes(fc.constantFrom('float32', 'int64', 'bool', 'toString')),
    other: fc.jsonValue(),
  };
  const given = fc.oneof(
    fc.record(fields, { requiredKeys: [] }),
    fc.record({ type: fields.type, id: fields.id, model: fields.model, inputs: fields.inputs }),
    fc.record({ type: fields.type, id: fields.id, module: fields.module, shape: fields.shape }),
    fc.jsonValue(),
  );

  it('is one that they would have read in the same way', () => {
    let plain = 0;
    fc.assert(
      fc.property(given, (message) => {
        const parsed: unknown = JSON.parse(JSON.stringify(message));
        const forward = plainForward(parsed);
        if (forward === undefined) return;
        plain++;
        const { frame, ...known } = forward;
        expect((frame ? forwardHeader : clientMessage).parse(parsed)).toEqual(known);
      }),
      { numRuns: 5000 },
    );
    expect(plain).toBeGreaterThan(500);
  });
});
