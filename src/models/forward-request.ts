// What a client says of a forward, where it says it plainly: the check that small forwards can bear.

/** A forward by fields alone. Whether `inputs` is a tensor and `module` is there, the model says. */
export interface PlainForward {
  readonly inputs: unknown;
  readonly module: string;
}

/**
 * A body of `inputs`, perhaps `module`, perhaps `mode`, and nothing else; undefined for any other, of which a schema
 * says what is wrong with it.
 */
export function plainForward(body: unknown): PlainForward | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  let inputs: unknown;
  let module = '';
  // JSON's objects have no fields but their own; a pair for each of them would be to be made.
  for (const name in body) {
    const value = (body as Readonly<Record<string, unknown>>)[name];
    if (name === 'inputs') inputs = value;
    else if (name === 'module' && typeof value === 'string') module = value;
    else if (name !== 'mode' || value !== 'eval') return undefined;
  }
  return inputs === undefined ? undefined : { inputs, module };
}
