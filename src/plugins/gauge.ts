// A gauge that is read when it is asked for.

import { Gauge, type Registry } from 'prom-client';

export function gauge(metrics: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [metrics],
    collect() {
      this.set(value());
    },
  });
}
