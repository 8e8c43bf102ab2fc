// A Holdfast with a real Kafka, its feed in a process of its own, and a reader of committed records that judges both.

import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { topicNames } from '../../../bus/kafka/kafka-feeds.js';
import type { PostgresClient } from '../../../storage/postgres/postgres.js';
import { connectPostgres } from '../../../storage/postgres/postgres.js';
import { until } from '../../deadlines.js';
import { CommittedRecords } from '../../servers/committed-records.js';
import { type RealKafka, realKafka } from '../../servers/real-kafka.js';
import { brokerUrl, databaseUrl } from './addresses.js';
import { compareEvents, storedEvents } from './events-check.js';
import { type Environment, RealSystem } from './real-system.js';

const UNLEASED = fileURLToPath(new URL('./unleased-feed.js', import.meta.url));
const FED_MS = 60_000;
const RUNS = /the feed kafka tells Kafka/;
export const NAMES = topicNames('holdfast');

export class KafkaRig {
  private readonly feeds: RealSystem[] = [];

  private constructor(
    readonly system: RealSystem,
    readonly kafka: RealKafka,
    readonly client: PostgresClient,
    readonly read: CommittedRecords,
  ) {}

  static async build(env: Environment = {}): Promise<KafkaRig | { readonly skipped: string }> {
    const kafka = await realKafka();
    if ('skipped' in kafka) return kafka;
    const system = await RealSystem.build({ KAFKA_BROKERS: kafka.broker, ...env });
    if ('skipped' in system) {
      await kafka.stop();
      return system;
    }
    await system.start();
    const client = connectPostgres(await databaseUrl(system, 'reader'), { max: 2 });
    const read = await CommittedRecords.of(kafka, [NAMES.orders, NAMES.inventory, NAMES.facts]);
    return new KafkaRig(system, kafka, client, read);
  }

  /** A process with ROLES=feed beside the system. */
  async feed(env: Environment = {}): Promise<RealSystem> {
    const { system, kafka } = this;
    const feed = await RealSystem.build({
      ...{ ROLES: 'feed', KAFKA_BROKERS: kafka.broker, INVENTORY_PORT: 'none' },
      ...{ DATABASE_URL: await databaseUrl(system), NATS_URL: await brokerUrl(system, 'feed'), ...env },
    });
    if ('skipped' in feed) throw new Error(feed.skipped);
    this.feeds.push(feed);
    return feed;
  }

  /** Opens it, and waits until it feeds. */
  run(feed: RealSystem): Promise<void> {
    return this.opened(feed, () => feed.open());
  }

  /** The same without a lease: beside another one, each ends the other in turn. */
  runUnleased(feed: RealSystem): Promise<void> {
    return this.opened(feed, () => feed.open({}, process.execPath, [UNLEASED]));
  }

  private async opened(feed: RealSystem, open: () => void): Promise<void> {
    feed.output = '';
    open();
    assert.ok(await until(() => RUNS.test(feed.output), FED_MS), feed.lastWords());
  }

  /**
   * Waits until Kafka has what Postgres has: each event once, in order, and the facts of each order as it is now. The numbers
   * of orders, counted from these facts, must be those of `order_stats`.
   * @param after so many records: those before are of an earlier telling
   */
  async check(after = 0): Promise<number> {
    const { client, read } = this;
    let stored = await storedEvents(client);
    const events = () => read.records.slice(after).filter(({ topic }) => topic !== NAMES.facts);
    // Either may come first: the flush to Postgres, or the feed.
    const isEven = async () => {
      if (events().length > stored.size) stored = await storedEvents(client);
      return events().length === stored.size;
    };
    await until(isEven, FED_MS, 200);
    const published = events().map(({ headers }) => ({
      specversion: headers.ce_specversion ?? '',
      id: headers.ce_id ?? '',
      type: headers.ce_type ?? '',
    }));
    compareEvents(stored, published, 'Kafka');
    for (const { key, topic, value, headers } of events()) {
      const { id, type, time } = JSON.parse(value) as Record<string, string>;
      assert.equal([id, type, time], [headers.ce_id, headers.ce_type, headers.ce_time]);
      assert.is(headers.ce_subject, key);
      assert.is(topic, type?.startsWith('order.') ? NAMES.orders : NAMES.inventory);
    }
    await this.checkFacts();
    return stored.size;
  }

  async stop(): Promise<void> {
    await this.read.stop();
    for (const feed of this.feeds) await feed.demolish();
    await this.client.end();
    await this.system.demolish();
    await this.kafka.stop();
  }

  // -------------------------------------------------------------- machinery

  private async checkFacts(): Promise<void> {
    const text = `select order_id, version, status, total_amount::text as total, extract(epoch from updated_at) * 1000 as at from orders`;
    type Row = { order_id: string; version: number; status: string; total: string | null; at: string };
    const rows = await this.client.query<Row>('read the orders', text, [], 30_000);
    const facts = (): Map<string, Fact> => {
      const latest = new Map<string, Fact>();
      for (const { key, value } of this.read.records.filter(({ topic }) => topic === NAMES.facts)) {
        const next = JSON.parse(value) as Fact;
        const before = Number(latest.get(key)?.version ?? 0);
        assert.ok(Number(next.version) >= before, `${key}: version ${next.version} after ${before}`);
        latest.set(key, next);
      }
      return latest;
    };
    const areThere = () => {
      const latest = facts();
      return rows.every(({ order_id, version }) => latest.get(order_id)?.version === version);
    };
    await until(areThere, FED_MS, 200);
    const found = facts();
    for (const { order_id, version, status, total, at } of rows) {
      const fact = found.get(order_id);
      const updated = new Date(Number(at)).toISOString();
      assert.equal([fact?.version, fact?.status, fact?.updated_at], [version, status, updated], order_id);
      if (total !== null) assert.is(fact?.total_amount, Number(total));
    }
    assert.is(found.size, rows.length);
    assert.equal(numbersIn(found.values()), await this.stats());
  }

  /** What the flush has counted, all of it in a currency with cents. */
  private async stats(): Promise<readonly string[]> {
    const text = `select concat_ws(' ', day, status, coalesce(reason, '-'), product_id, coalesce(currency, '-'),
      orders, containing, units, (revenue * 100)::bigint) as line from order_stats`;
    return (await this.client.query<{ line: string }>('read the numbers', text)).map(({ line }) => line).sort();
  }
}

// ---------------------------------------------------------------- machinery

interface Fact {
  readonly version: number;
  readonly status: string;
  readonly reason?: string;
  readonly currency?: string;
  readonly total_amount?: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly items: readonly {
    readonly product_id: string;
    readonly quantity: number;
    readonly subtotal_minor?: number;
  }[];
}

/** The numbers of orders as lines: orders, orders with the product, units, and what was sold. */
function numbersIn(facts: Iterable<Fact>): readonly string[] {
  const numbers = new Map<string, [number, number, number, number]>();
  for (const { created_at, status, reason = '-', currency = '-', items } of facts) {
    const isSold = ['confirmed', 'shipped', 'delivered'].includes(status);
    for (const [i, { product_id, quantity, subtotal_minor = 0 }] of items.entries()) {
      const key = [created_at.slice(0, 10), status, reason, product_id, currency].join(' ');
      const [orders, containing, units, minor] = numbers.get(key) ?? [0, 0, 0, 0];
      const sold = isSold ? subtotal_minor : 0;
      numbers.set(key, [orders + (i === 0 ? 1 : 0), containing + 1, units + quantity, minor + sold]);
    }
  }
  return [...numbers].map(([key, sums]) => `${key} ${sums.join(' ')}`).sort();
}
