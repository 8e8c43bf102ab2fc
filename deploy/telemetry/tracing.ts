// Traces of this process, where an endpoint is set. The SDK takes 16 MB, so it is loaded only then.

import { Counter } from 'prom-client';
import type { SentTraces } from '../../bus/tracing/open-telemetry.js';
import type { Parts } from '../parts.js';
import { version } from '../version.js';

/** @returns undefined where traces are off */
export async function beginTracing({ config, registry, clock, logger }: Parts): Promise<SentTraces | undefined> {
  const { traces: sampling } = config;
  if (sampling === undefined) return undefined;
  const spans = new Counter({
    name: 'holdfast_trace_spans_total',
    help: 'Spans of traces: sent to the endpoint, or lost because it did not take them in time.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of ['sent', 'lost']) spans.inc({ outcome }, 0);
  const { openTelemetry } = await import('../../bus/tracing/open-telemetry.js');
  return openTelemetry({
    ...{ sampling, serviceName: config.serviceName, instance: config.nodeName, version, clock, logger },
    meter: {
      sent: (count) => spans.inc({ outcome: 'sent' }, count),
      lost: (count) => spans.inc({ outcome: 'lost' }, count),
    },
  });
}
