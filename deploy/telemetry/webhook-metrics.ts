// The Prometheus metrics of the feed of webhooks.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WebhookMeter } from '../../bus/webhooks/webhook-meter.js';

const BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

export function webhookMeter(registry: Registry): WebhookMeter {
  const registers = [registry];
  const taken = new Counter({
    name: 'holdfast_webhook_deliveries_total',
    help: 'Deliveries that were made of events, one for each webhook that wants the event.',
    registers,
  });
  const attempts = new Counter({
    name: 'holdfast_webhook_attempts_total',
    help: 'Attempts by outcome: delivered, retry (another follows), failed (none follows), gone (410).',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'holdfast_webhook_attempt_duration_seconds',
    help: 'Time until a receiver has answered, or was given up.',
    buckets: BOUNDS,
    registers,
  });
  const disabled = new Counter({
    name: 'holdfast_webhooks_disabled_total',
    help: 'Webhooks that Holdfast has disabled, and why.',
    labelNames: ['reason'],
    registers,
  });
  const gaps = new Counter({
    name: 'holdfast_webhook_gaps_total',
    help: 'Gaps in EVENTS: events that its retention removed before they were read for webhooks.',
    registers,
  });
  const waiting = new Gauge({
    name: 'holdfast_webhook_waiting_deliveries',
    help: 'Deliveries of enabled webhooks that waited at the last look.',
    registers,
  });
  // Each series starts at 0, so that rate() does not miss its first increase.
  for (const outcome of ['delivered', 'retry', 'failed', 'gone']) attempts.inc({ outcome }, 0);
  for (const reason of ['gone', 'failing', 'behind']) disabled.inc({ reason }, 0);
  return {
    taken: (deliveries) => taken.inc(deliveries),
    attempted(outcome, ms) {
      attempts.inc({ outcome });
      duration.observe(ms / 1_000);
    },
    disabled: (reason) => disabled.inc({ reason }),
    gap: () => gaps.inc(),
    waiting: (deliveries) => waiting.set(deliveries),
  };
}
