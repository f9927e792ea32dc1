// The one table of error codes: what a client may rely on is `code` and `status`; texts may improve.
// Every answer that is not a success is an RFC 9457 problem made here. docs/errors.md and openapi.yaml list the same codes.
// Imports nothing, so that every layer may throw an ApiError.

/** code: [HTTP status, detail with a %s for each value]. */
export const ERRORS = {
  INVALID_JSON: [400, 'the body is not JSON'],
  BAD_URL: [400, 'the URL cannot be decoded'],
  BAD_REQUEST: [400, 'the request is not well-formed HTTP'],
  ORIGIN_NOT_ALLOWED: [403, 'the origin %s may not open a WebSocket here'],
  MODEL_NOT_FOUND: [404, 'there is no model named %s'],
  DATASET_NOT_FOUND: [404, 'there is no data set named %s'],
  MODULE_NOT_FOUND: [404, 'there is no module at %s'],
  PARAMETER_NOT_FOUND: [404, 'there is no parameter or buffer at %s'],
  WATCHPOINT_NOT_FOUND: [404, 'there is no watchpoint %s'],
  JOB_NOT_FOUND: [404, 'there is no job %s'],
  ROUTE_NOT_FOUND: [404, 'there is nothing at %s'],
  METHOD_NOT_ALLOWED: [405, '%s does not take %s'],
  NOT_ACCEPTABLE: [406, 'it is answered as %s only'],
  REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
  JOB_RUNNING: [409, 'job %s trains this model already'],
  UNINITIALIZED: [
    409,
    'the parameter at %s is uninitialized: the first forward, or materialize, gives it a shape',
  ],
  MODEL_EXISTS: [409, 'there is already a model named %s'],
  IDEMPOTENCY_KEY_IN_USE: [409, 'a request with this Idempotency-Key is being done'],
  REVISION_MISMATCH: [412, 'it was changed meanwhile: its ETag is %s'],
  BODY_TOO_LARGE: [413, 'the body is larger than %s bytes'],
  QUOTA_EXCEEDED: [413, 'the quota is exceeded'],
  URL_TOO_LONG: [414, 'the URL is too long'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'the content type %s is not served here'],
  INVALID_REQUEST: [422, 'the request is invalid'],
  IDEMPOTENCY_KEY_REUSED: [422, 'this Idempotency-Key was used for another request'],
  NAME_INVALID: [
    422,
    'the name %s is not allowed: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit',
  ],
  ARCHITECTURE_INVALID: [422, 'the architecture is invalid'],
  MODULE_INVALID: [422, 'the module cannot be placed or removed'],
  TENSOR_INVALID: [422, 'the tensor is invalid'],
  DATASET_INVALID: [422, 'the data set is invalid'],
  COLUMN_UNKNOWN: [422, 'data set %s has no column %s'],
  VALUE_INVALID: [422, 'the value is invalid'],
  PARAMETER_SHAPE: [422, 'parameter %s has shape [%s], the value has [%s]'],
  INDEX_INVALID: [422, 'the index is invalid'],
  INDEX_OUT_OF_RANGE: [422, 'the index is out of range'],
  EXPRESSION_INVALID: [422, 'the expression is invalid'],
  PATCH_INVALID: [422, 'the patch is invalid'],
  INIT_INVALID: [422, 'the init is invalid'],
  TIE_INVALID: [422, 'the parameters cannot be tied'],
  TIED_VALUES_DIFFER: [422, '%s and %s are one storage, the state gives them different values'],
  STATE_DICT_MISMATCH: [422, 'the state does not fit the module'],
  SHAPE_MISMATCH: [422, '%s'],
  LOSS_NOT_FINITE: [422, 'the loss is %s at step %s; the last commit is kept'],
  NOT_DIFFERENTIABLE: [422, 'there is no gradient: %s'],
  NOT_CALLABLE: [422, 'module %s (%s) has no forward'],
  REVISION_UNKNOWN: [422, 'revision %s is in the future: the model is at %s'],
  UPGRADE_REQUIRED: [426, 'there is a WebSocket at %s, and nothing else'],
  HEADERS_TOO_LARGE: [431, 'the header fields are too large'],
  CLIENT_GONE: [499, 'the client hung up before its request was run'],
  INTERNAL: [500, 'something went wrong in the server; its log has this request id'],
  WORKER_LOST: [
    500,
    'the worker running this request was lost; the model is intact, the request may be sent again',
  ],
  OVERLOADED: [503, 'the server is overloaded; send the request again later'],
  SHUTTING_DOWN: [503, 'the server is shutting down'],
  DEADLINE_EXCEEDED: [504, 'there was no answer within the timeout of %s ms'],
} as const satisfies Record<string, readonly [status: number, detail: string]>;

export type ErrorCode = keyof typeof ERRORS;

/** One thing wrong. `path` leads into the body (or query), e.g. `architecture.children[2].in_featurs`. */
export interface Fault {
  path: string;
  message: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  errors?: readonly Fault[];
  request_id?: string;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** More faults than these no answer lists: `detail` has their number. A body of a million mistakes is not answered in kind. */
const MAX_FAULTS = 1000;

/** Where nothing better is known. */
const RETRY_AFTER_SECONDS = 1;

/** The only error a client is told about; every other one is answered as INTERNAL. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly errors?: readonly Fault[];
  /** For a 412: the entity tag of now. */
  etag: string | undefined;
  /** For a 503: after how many seconds the client may try again. */
  retryAfterSeconds = RETRY_AFTER_SECONDS;

  /** `values` fill the code's %s in order, those left over follow after a colon; so does the first of `errors` where it says more. */
  constructor(code: ErrorCode, values: readonly (string | number)[] = [], errors?: readonly Fault[]) {
    const [status, template] = ERRORS[code];
    super(describe(template, values, errors));
    this.code = code;
    this.status = status;
    if (errors !== undefined && errors.length > 0) this.errors = errors;
  }
}

export function problem(error: ApiError, requestId?: string): Problem {
  return {
    type: `/v1/errors#${error.code}`,
    title: titleOf(error.code),
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.errors !== undefined && { errors: error.errors.slice(0, MAX_FAULTS) }),
    ...(requestId !== undefined && { request_id: requestId }),
  };
}

const ACRONYMS = new Set(['URL', 'JSON']);

/** `MODEL_NOT_FOUND` → `Model not found`. */
export function titleOf(code: ErrorCode): string {
  const [first = '', ...rest] = code
    .split('_')
    .map((word) => (ACRONYMS.has(word) ? word : word.toLowerCase()));
  return [first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(' ');
}

function describe(
  template: string,
  values: readonly (string | number)[],
  errors: readonly Fault[] = [],
): string {
  const texts = values.map(String);
  const rest = [...texts];
  let text = template.replaceAll('%s', () => rest.shift() ?? '(unknown)');
  if (rest.length > 0) text += `: ${rest.join(', ')}`;
  const [first] = errors;
  if (first === undefined) return text;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  // A fault with all of the values in it says the same thing again, and only adds where.
  const again = texts.length > 0 && texts.every((value) => first.message.includes(value));
  if (again || text.includes(first.message)) return text + more;
  const said = first.path === '' || texts.some((value) => value.includes(first.path));
  return `${text}: ${said ? '' : `${first.path}: `}${first.message}${more}`;
}
