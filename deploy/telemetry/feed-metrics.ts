// The metrics of the feeds, as the process that runs them reports.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { FeedReport } from '../../actors/ports/feeds.js';

export function watchFeeds(registry: Registry, report: () => readonly FeedReport[]): void {
  const gauge = (name: string, help: string, value: (feed: FeedReport) => number) => {
    const one: Gauge = new Gauge({
      ...{ name, help },
      labelNames: ['feed'],
      registers: [registry],
      collect: () => {
        one.reset();
        for (const each of report()) one.set({ feed: each.name }, value(each));
      },
    });
  };
  gauge('holdfast_feed_running', 'Whether this process, or its child, runs the feed.', ({ state }) =>
    state === 'running' ? 1 : 0,
  );
  gauge('holdfast_feed_failing', 'Whether the feed has failed and waits to be tried again.', ({ state }) =>
    state === 'failing' ? 1 : 0,
  );
  gauge('holdfast_feed_lag_messages', 'Messages of EVENTS that the feed has not told yet.', ({ lag }) => lag.messages);
  gauge(
    'holdfast_feed_lag_seconds',
    'Time since the oldest message that the feed has not told yet.',
    ({ lag }) => lag.ms / 1_000,
  );
  gauge(
    'holdfast_feed_retention_used_ratio',
    'The part of what EVENTS may keep that the feed has not told yet: at 1 it loses events.',
    ({ retentionUsed }) => retentionUsed,
  );
  const sent: Counter = new Counter({
    name: 'holdfast_feed_sent_total',
    help: 'What the feed has told since its process began: records, for Kafka.',
    labelNames: ['feed'],
    registers: [registry],
    collect: () => {
      sent.reset();
      for (const each of report()) if (each.sent !== undefined) sent.inc({ feed: each.name }, each.sent);
    },
  });
}
