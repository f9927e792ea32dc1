import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ApiError, ERRORS, problem, titleOf, type ErrorCode } from '#src/errors.js';

const codes = Object.keys(ERRORS) as ErrorCode[];

describe('the table of errors', () => {
  it('is the table of docs/errors.md, in both directions', () => {
    const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` *\| (\d+) *\| `(.+?)` *\|/gm)];
    const documented = rows.map(([, code, status, detail]) => [code, Number(status), detail]);
    expect(documented).toEqual(codes.map((code) => [code, ...ERRORS[code]]));
  });

  it('has only statuses of errors', () => {
    for (const code of codes)
      expect(ERRORS[code][0]).toSatisfy((status: number) => status >= 400 && status < 600);
  });

  it('gives each code a title of its own', () => {
    expect(titleOf('MODEL_NOT_FOUND')).toBe('Model not found');
    expect(titleOf('URL_TOO_LONG')).toBe('URL too long');
    expect(titleOf('INVALID_JSON')).toBe('Invalid JSON');
    expect(new Set(codes.map(titleOf)).size).toBe(codes.length);
  });
});

describe('ApiError', () => {
  it('fills the values into the detail in order', () => {
    const error = new ApiError('PARAMETER_SHAPE', ['0.weight', '8, 4', '4']);
    expect(error.message).toBe('parameter 0.weight has shape [8, 4], the value has [4]');
    expect(error).toMatchObject({ code: 'PARAMETER_SHAPE', status: 422, name: 'ApiError' });
  });

  it('appends the values that the detail has no place for', () => {
    expect(new ApiError('QUOTA_EXCEEDED', ['1 models are served already']).message).toBe(
      'the quota is exceeded: 1 models are served already',
    );
  });

  it('does not read replacement patterns in a value', () => {
    expect(new ApiError('MODEL_NOT_FOUND', ['$& %s $1']).message).toBe('there is no model named $& %s $1');
  });

  it('names the first fault and counts the others', () => {
    const faults = [
      { path: 'a', message: 'is required' },
      { path: 'b', message: 'is required' },
      { path: 'c', message: 'is required' },
    ];
    const error = new ApiError('INVALID_REQUEST', [], faults);
    expect(error.message).toBe('the request is invalid: a: is required (and 2 more)');
    expect(error.errors).toEqual(faults);
  });

  it('does not say again what a fault has of all the values, and counts the others', () => {
    const faults = ['net', 'other'].map((name) => ({
      path: `after.${name}`,
      message: `revision 9 is in the future: ${name} is at 4`,
    }));
    const sentence = 'revision 9 is in the future: the model is at 4';
    expect(new ApiError('REVISION_UNKNOWN', [9, 4], faults.slice(0, 1)).message).toBe(sentence);
    expect(new ApiError('REVISION_UNKNOWN', [9, 4], faults).message).toBe(`${sentence} (and 1 more)`);
  });

  it('does not name a path again that is among the values', () => {
    const faults = [{ path: '0.wieght', message: 'did you mean "0.weight"?' }];
    expect(new ApiError('PARAMETER_NOT_FOUND', ['"0.wieght"'], faults).message).toBe(
      'there is no parameter or buffer at "0.wieght": did you mean "0.weight"?',
    );
  });

  it('does not say the same thing twice where the only fault repeats the value', () => {
    const words = 'mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)';
    expect(new ApiError('SHAPE_MISMATCH', [words], [{ path: '0', message: words }]).message).toBe(words);
  });
});

describe('a problem document', () => {
  it('has the members of RFC 9457, the code, the faults and the request id', () => {
    const errors = [{ path: 'ops[0].value', message: 'is required' }];
    expect(problem(new ApiError('INVALID_REQUEST', [], errors), 'r1')).toEqual({
      type: '/v1/errors#INVALID_REQUEST',
      title: 'Invalid request',
      status: 422,
      detail: 'the request is invalid: ops[0].value: is required',
      code: 'INVALID_REQUEST',
      errors,
      request_id: 'r1',
    });
  });

  it('lists at most 1000 faults and tells how many there are', () => {
    const errors = Array.from({ length: 5000 }, (_, i) => ({ path: `a[${i}]`, message: 'is wrong' }));
    const { errors: listed, detail } = problem(new ApiError('INVALID_REQUEST', [], errors));
    expect(listed).toEqual(errors.slice(0, 1000));
    expect(detail).toContain('(and 4999 more)');
  });

  it('has no errors where none are named', () => {
    expect(problem(new ApiError('OVERLOADED'))).not.toHaveProperty('errors');
  });
});
