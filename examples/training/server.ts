// What the examples of training say to a server: a few requests over fetch.

export interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export interface Job {
  readonly status: string;
  readonly losses: readonly number[];
  readonly history: readonly {
    readonly epoch: number;
    readonly loss: number;
    readonly validation?: { readonly loss: number; readonly accuracy?: number };
  }[];
  readonly seconds: number;
  readonly examples_per_second: number;
  readonly error?: { readonly detail: string };
}

export class Server {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Throws with the server's own words where it refuses. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(new URL(path, this.url), {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Builds a model for as long as `work` takes. */
  async withModel<T>(architecture: unknown, seed: number, work: (model: Model) => Promise<T>): Promise<T> {
    const name = `example-${Math.random().toString(36).slice(2)}`;
    await this.request('POST', '/v1/models', { name, architecture, seed });
    try {
      return await work(new Model(this, name));
    } finally {
      await this.request('DELETE', `/v1/models/${name}`);
    }
  }

  /** Puts a data set for as long as `work` takes. */
  async withDataset<T>(columns: object, work: (name: string) => Promise<T>): Promise<T> {
    const name = `example-${Math.random().toString(36).slice(2)}`;
    await this.request('PUT', `/v1/datasets/${name}`, { columns });
    try {
      return await work(name);
    } finally {
      await this.request('DELETE', `/v1/datasets/${name}`);
    }
  }
}

export class Model {
  private readonly server: Server;
  readonly path: string;

  constructor(server: Server, name: string) {
    this.server = server;
    this.path = `/v1/models/${name}`;
  }

  /** The job, when it is over. */
  async train(request: object): Promise<Job> {
    const job = await this.server.request<Job>('POST', `${this.path}/train?wait=true`, request);
    if (job.status !== 'done') throw new Error(`the training ${job.status}: ${job.error?.detail ?? ''}`);
    return job;
  }

  async forward(inputs: unknown): Promise<Tensor> {
    return (await this.server.request<{ outputs: Tensor }>('POST', `${this.path}/forward`, { inputs }))
      .outputs;
  }

  async value(parameter: string): Promise<readonly number[]> {
    const { value } = await this.server.request<{ value: Tensor }>(
      'GET',
      `${this.path}/parameters/${parameter}`,
    );
    return value.data;
  }
}
