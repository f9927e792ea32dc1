import { describe, expect, it } from 'vitest';
import { differentiate, GradientError } from '#src/graph/gradient.js';
import { Tracer } from '#src/graph/tracer.js';

const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });

describe('the gradients of a graph', () => {
  it('are not written down where nothing asks for them', () => {
    const tracer = new Tracer();
    const x = tracer.input(float(2, 4));
    const [frozen, trained] = [tracer.read(float(8, 4))!, tracer.read(float(3, 8))!];
    const hidden = tracer.apply('relu', [tracer.apply('linear', [x, frozen, null], {})], {});
    const y = tracer.apply('linear', [hidden, trained, null], {});
    const before = tracer.nodes.length;
    const [gradient] = differentiate(tracer, [{ value: y, gradient: tracer.input(y) }], [trained]);
    expect(gradient!.shape).toEqual([3, 8]);
    // One factor turned, the other in panels, their product: nothing of the frozen layer.
    expect(tracer.nodes.slice(before).map(({ op }) => op)).toEqual(['permute', 'pack', 'product']);
  });

  it('of a value used twice add up', () => {
    const tracer = new Tracer();
    const x = tracer.input(float(3));
    const y = tracer.apply('add', [tracer.apply('mul', [x, x], {}), x], {});
    const [gradient] = differentiate(tracer, [{ value: y, gradient: tracer.input(y) }], [x]);
    expect(gradient!.shape).toEqual([3]);
    expect(tracer.nodes.filter(({ op }) => op === 'add')).toHaveLength(3);
  });

  it('are null for what the value does not depend on', () => {
    const tracer = new Tracer();
    const [x, other] = [tracer.input(float(3)), tracer.input(float(3))];
    const y = tracer.apply('relu', [x], {});
    expect(differentiate(tracer, [{ value: y, gradient: tracer.input(y) }], [other])).toEqual([null]);
  });

  it('of an op without a rule are refused', () => {
    const tracer = new Tracer();
    const indices = tracer.input({ shape: [2], dtype: 'int64' });
    const x = tracer.input(float(2, 3));
    const y = tracer.apply('embedding_gradient', [indices, x], { rows: 5 });
    const ask = () => differentiate(tracer, [{ value: y, gradient: tracer.input(y) }], [x]);
    expect(ask).toThrow(GradientError);
  });
});
