// The metrics of a shop's orders, under the names that guides to its persistence use.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ImportMeter, OrderImporter } from '../../http/boutique/order-importer.js';

/** They live as long as the process: a node that begins anew in it takes them over with `showIn`. */
export interface ImportMetrics extends ImportMeter {
  showIn(registry: Registry): void;
}

const FAILURES = ['unavailable', 'refused', 'unusable', 'spool'] as const;

export function importMetrics(importer: () => Pick<OrderImporter, 'size'> | undefined): ImportMetrics {
  const registers: Registry[] = [];
  const persisted = new Counter({
    ...{ name: 'orders_persisted_total', registers },
    help: 'Orders of the shop that are stored, each once.',
  });
  const errors = new Counter({
    ...{ name: 'orders_persist_errors_total', registers, labelNames: ['reason'] },
    help: 'Attempts to store an order of the shop that failed: unavailable (it waits on disk), refused, unusable, spool.',
  });
  for (const reason of FAILURES) errors.inc({ reason }, 0);
  const duration = new Histogram({
    ...{ name: 'order_persist_duration_seconds', registers },
    help: 'From the confirmation of an order of the shop until it is stored.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
  });
  const differed = new Counter({
    ...{ name: 'holdfast_imports_differed_total', registers },
    help: 'Orders that were told of again with another content. The first content stays.',
  });
  const waiting: Gauge = new Gauge({
    ...{ name: 'holdfast_imports_waiting', registers },
    help: 'Orders of the shop that wait on disk to be stored.',
    collect: () => waiting.set(importer()?.size ?? 0),
  });
  return {
    stored(ms) {
      persisted.inc();
      duration.observe(ms / 1_000);
    },
    differed: () => differed.inc(),
    failed: (reason) => errors.inc({ reason }),
    showIn(registry) {
      for (const metric of [persisted, errors, duration, differed, waiting]) registry.registerMetric(metric as Counter);
    },
  };
}
