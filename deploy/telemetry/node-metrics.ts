// The node's Prometheus metrics.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ReplicaStatus } from '../../actors/ports/queries.js';
import type { Meter } from '../../bus/node/meter.js';
import type { Supervisor } from '../../bus/node/supervisor.js';
import type { ListAge } from '../../bus/reads/list-age.js';
import type { Redis } from '../../storage/redis/redis.js';
import { type OrderCounts, orderMeter } from './order-metrics.js';

/** Of a turn's record, from one small order to the most that a message takes. */
const SIZES = [1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function nodeMeter(registry: Registry, listAge: ListAge, counts: OrderCounts): Meter {
  const registers = [registry];
  const age: Gauge = new Gauge({
    name: 'holdfast_list_age_seconds',
    help: 'Time since the first append of this node whose rows Postgres may not have yet: lists may be that old.',
    registers,
    collect: () => age.set(listAge.ms / 1_000),
  });
  const append = new Histogram({
    name: 'holdfast_append_duration_seconds',
    help: 'Time until a turn is in the journal.',
    buckets: BOUNDS,
    registers,
  });
  const appendBytes = new Counter({
    name: 'holdfast_appended_bytes_total',
    help: 'Bytes appended to the journal.',
    registers,
  });
  const turns = new Counter({
    name: 'holdfast_turns_total',
    help: 'Turns appended to the journal.',
    registers,
  });
  const size = new Histogram({
    name: 'holdfast_turn_size_bytes',
    help: "Size of a turn's record: the more a turn decides, the less each order costs.",
    buckets: SIZES,
    registers,
  });
  const decided = new Histogram({
    name: 'holdfast_turn_duration_seconds',
    help: 'Time that the decisions of a turn took, before its append. Nothing else runs in the process meanwhile.',
    buckets: BOUNDS,
    registers,
  });
  const orders = orderMeter(registry, counts);
  const dead = new Counter({
    name: 'holdfast_dead_letters_total',
    help: 'Commands whose decision threw: they had no effect, and the log has each of them.',
    registers,
  });
  const flush = new Histogram({
    name: 'holdfast_flush_duration_seconds',
    help: 'Time until a flush is in Postgres.',
    buckets: BOUNDS,
    registers,
  });
  const events = new Counter({
    name: 'holdfast_flushed_events_total',
    help: 'Events whose rows are in Postgres.',
    registers,
  });
  const retries = new Counter({
    name: 'holdfast_retries_total',
    help: 'Calls to the journal (append) and to Postgres (flush) that were made again.',
    labelNames: ['call'],
    registers,
  });
  const unanswered = new Counter({
    name: 'holdfast_unanswered_calls_total',
    help: 'Calls without an answer in time, which may have been carried out: to the journal (append), to Postgres (flush, lookup).',
    labelNames: ['call'],
    registers,
  });
  // Each series starts at 0, so that rate() does not miss its first increase.
  for (const call of ['append', 'flush', 'lookup']) unanswered.inc({ call }, 0);
  for (const call of ['append', 'flush']) retries.inc({ call }, 0);
  const cacheReads = new Counter({
    name: 'holdfast_cache_reads_total',
    help: "Reads of orders that are not in memory, and of products' pasts: answered by the cache (hit), or by Postgres, and why.",
    labelNames: ['read', 'outcome'],
    registers,
  });
  const cacheTime = new Histogram({
    name: 'holdfast_cache_duration_seconds',
    help: 'Time that reads spent on the cache.',
    labelNames: ['read'],
    buckets: BOUNDS,
    registers,
  });
  return {
    appended({ decidedMs, appendedMs, bytes, events: happened }) {
      listAge.appended();
      append.observe(appendedMs / 1_000);
      decided.observe(decidedMs / 1_000);
      size.observe(bytes);
      appendBytes.inc(bytes);
      turns.inc();
      orders(happened);
    },
    flushed(durationMs, count) {
      listAge.flushed(durationMs);
      flush.observe(durationMs / 1_000);
      events.inc(count);
    },
    unanswered: (call) => unanswered.inc({ call }),
    retried: (call) => retries.inc({ call }),
    deadLetter: () => dead.inc(),
    cached(read, outcome, durationMs) {
      cacheReads.inc({ read, outcome });
      if (outcome !== 'unknown') cacheTime.observe({ read }, durationMs / 1_000);
    },
  };
}

export function searchMeter(registry: Registry, lagMs: () => number): { indexed(orders: number): void } {
  const indexed = new Counter({
    name: 'holdfast_search_indexed_orders_total',
    help: 'Orders whose words this node has added to the search index.',
    registers: [registry],
  });
  const lag: Gauge = new Gauge({
    name: 'holdfast_search_lag_seconds',
    help: 'How long ago the oldest order was stored that the search did not know at the last look.',
    registers: [registry],
    collect: () => lag.set(lagMs() / 1_000),
  });
  return { indexed: (orders) => indexed.inc(orders) };
}

/** Gauges of everything that could grow, read at each scrape. */
export function watchSizes(registry: Registry, supervisor: Supervisor): void {
  const gauge = (name: string, help: string, read: () => number) => {
    const one: Gauge = new Gauge({
      name: `holdfast_${name}`,
      help,
      registers: [registry],
      collect: () => one.set(read()),
    });
  };
  const node = () => supervisor.incarnation?.node;
  gauge('inbox_commands', 'Commands that wait for a turn.', () => node()?.inboxSize ?? 0);
  gauge('orders_in_memory', 'Orders that are not settled or not flushed.', () => node()?.world.orders.size ?? 0);
  gauge('products_in_memory', 'Products this node keeps.', () => node()?.world.products.size ?? 0);
  gauge(
    'unflushed_events',
    'Appended events whose rows Postgres does not have yet.',
    () => node()?.world.unflushedEvents ?? 0,
  );
  gauge(
    'unpublished_turns',
    'Appended turns that EVENTS does not have yet.',
    () => supervisor.incarnation?.unpublishedTurns() ?? 0,
  );
  gauge(
    'events_lag_seconds',
    'Time since the oldest turn was appended that EVENTS does not have yet.',
    () => (supervisor.incarnation?.unpublishedMs() ?? 0) / 1_000,
  );
  gauge('owner', 'Whether this node serves its partitions.', () => (supervisor.absence === undefined ? 1 : 0));
}

export function watchReplica(registry: Registry, status: () => ReplicaStatus): void {
  const registers = [registry];
  const lag: Gauge = new Gauge({
    name: 'holdfast_read_replica_lag_seconds',
    help: 'At most how far the read replica is behind the primary.',
    registers,
    collect: () => lag.set(status().lagMs / 1_000),
  });
  const used: Gauge = new Gauge({
    name: 'holdfast_read_replica_used',
    help: 'Whether lists come from the read replica.',
    registers,
    collect: () => used.set(status().isUsed ? 1 : 0),
  });
}

export function watchRedis(registry: Registry, redis: Redis): void {
  const one: Gauge = new Gauge({
    name: 'holdfast_redis_breaker_open',
    help: 'Whether Redis is left alone for a while, as it did not answer.',
    registers: [registry],
    collect: () => one.set(redis.breaker === 'closed' ? 0 : 1),
  });
}
