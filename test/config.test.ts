import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeSettings, printConfig, readConfig } from '#src/config.js';

/** The sentences that refuse an environment. */
function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(readConfig({})).toMatchObject({
      port: 8080,
      host: '127.0.0.1',
      logLevel: 'info',
      memoryLimitBytes: 2 * 2 ** 30,
      bodyLimitBytes: 32 * 2 ** 20,
      wsMessageLimitBytes: 2 ** 20,
      maxModels: 20000,
      maxModules: 10000,
      logEntries: 1024,
      logBytes: 64 * 2 ** 20,
      requestTimeoutMs: 30000,
      workerTimeoutMs: 30000,
      corsOrigins: [],
      allowedOrigins: [],
    });
    expect(readConfig({}).workers).toBeGreaterThanOrEqual(1);
    expect(readConfig({}).workers).toBeLessThanOrEqual(4);
  });

  it('leaves other variables alone and takes an empty one for absent', () => {
    expect(readConfig({ PATH: '/bin', PORT: 'x', WEIGHTROOM_PORT: '' }).port).toBe(8080);
  });

  it.each([
    ['1048576', 1048576],
    ['512MiB', 512 * 2 ** 20],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['2gb', 2e9],
    ['64MB', 64e6],
  ])('reads the size %s', (text, bytes) => {
    expect(readConfig({ WEIGHTROOM_MEMORY_LIMIT_BYTES: text }).memoryLimitBytes).toBe(bytes);
  });

  it('reads lists of origins', () => {
    const { corsOrigins } = readConfig({
      WEIGHTROOM_CORS_ORIGINS: 'https://a.example, http://localhost:3000',
    });
    expect(corsOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
  });

  it('refuses an unknown variable and suggests the nearest', () => {
    expect(faultsOf({ WEIGHTROOM_PROT: '1' })).toEqual([
      'WEIGHTROOM_PROT is not a setting; did you mean WEIGHTROOM_PORT?',
    ]);
    expect(faultsOf({ WEIGHTROOM_SOMETHING_ELSE: '1' })).toEqual([
      'WEIGHTROOM_SOMETHING_ELSE is not a setting',
    ]);
  });

  it('reports everything wrong at once, one sentence each', () => {
    const faults = faultsOf({
      WEIGHTROOM_PORT: '65536',
      WEIGHTROOM_WORKERS: '0',
      WEIGHTROOM_LOG_LEVEL: 'loud',
      WEIGHTROOM_BODY_LIMIT_BYTES: '3 parsecs',
      WEIGHTROOM_ALLOWED_ORIGINS: 'example.org',
      WEIGHTROOM_UNKNOWN: 'x',
    });
    expect(faults).toHaveLength(6);
    expect(faults).toContain('WEIGHTROOM_PORT must be a whole number from 0 to 65535; it is "65536"');
    for (const fault of faults) expect(fault).not.toContain('\n');
  });

  it.each(['-1', '1.5', '1e3', '0x10', ' 80 80', 'NaN', '99999999999999999999'])(
    'refuses the port %s',
    (text) => {
      expect(faultsOf({ WEIGHTROOM_PORT: text })).toHaveLength(1);
    },
  );

  it('never throws anything but a ConfigError, whatever the text', () => {
    const names = Object.keys(parse(printConfig(readConfig({}))));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string(), (name, text) => {
        faultsOf({ [name]: text });
      }),
      { numRuns: 200 },
    );
  });

  it('prints what it would read again as the same configuration', () => {
    const config = readConfig({
      WEIGHTROOM_CORS_ORIGINS: 'https://a.example,http://b.example',
      WEIGHTROOM_PORT: '0',
    });
    expect(readConfig(parse(printConfig(config)))).toEqual(config);
  });

  it('names every setting in --help', () => {
    for (const name of Object.keys(parse(printConfig(readConfig({})))))
      expect(describeSettings()).toContain(name);
  });
});

function parse(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
}
