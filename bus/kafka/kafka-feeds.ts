/** The feeds of Kafka: every public event, and beside it the facts of each order. They do not wait for one another. */
import { orderId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import type { OrderState } from '../../actors/order/order.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import { pause } from '../retry.js';
import { eventRecords, orderVersions } from './event-records.js';
import type { EventSource } from './event-source.js';
import { orderFacts } from './order-facts.js';
import { TopicFeed, type Translator } from './topic-feed.js';
import type { TopicShape, Topics } from './topics.js';

interface KafkaFeedsParts {
  readonly topics: () => Promise<Topics>;
  readonly source: EventSource;
  readonly snapshots: Pick<Snapshots, 'lookUp'>;
  readonly names: TopicNames;
  readonly partitions: number;
  readonly system: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface TopicNames {
  readonly orders: string;
  readonly inventory: string;
  readonly facts: string;
  readonly cursors: string;
}

/** @param prefix such as `holdfast` */
export const topicNames = (prefix: string): TopicNames => ({
  orders: `${prefix}.orders.v1`,
  inventory: `${prefix}.inventory.v1`,
  facts: `${prefix}.order-facts.v1`,
  cursors: `${prefix}.feed-cursors.v1`,
});

/** By feed: the name of its writer and of its cursor. */
export const feedIds = (system: string) => ({
  events: `holdfast-feed-${system}`,
  facts: `holdfast-feed-facts-${system}`,
});

export const cursorTopic = (names: TopicNames): TopicShape => ({
  name: names.cursors,
  partitions: 1,
  compacted: true,
});

const EVENTS_GATHER_MS = 50;
/** The rows follow the events by a flush. */
const FACTS_GATHER_MS = 300;
const ROWS_MS = 30_000;
/** Orders whose last facts are remembered, so that they are not sent again at the same version. */
const REMEMBERED = 10_000;

export function kafkaFeeds(parts: KafkaFeedsParts): readonly [TopicFeed, TopicFeed] {
  const { topics, source, names, partitions, system, clock, logger } = parts;
  const ids = feedIds(system);
  const shared = { topics, source, cursorTopic: cursorTopic(names), clock, logger };
  const events = new TopicFeed({
    ...shared,
    name: 'kafka',
    id: ids.events,
    targets: [names.orders, names.inventory].map((name) => ({ name, partitions, compacted: false })),
    translator: () => async (messages) => messages.flatMap(({ text }) => eventRecords(text, names)),
    gatherMs: EVENTS_GATHER_MS,
  });
  const facts = new TopicFeed({
    ...shared,
    name: 'kafka-facts',
    id: ids.facts,
    targets: [{ name: names.facts, partitions, compacted: true }],
    translator: () => factsTranslator(parts),
    gatherMs: FACTS_GATHER_MS,
  });
  return [events, facts];
}

// ---------------------------------------------------------------- machinery

function factsTranslator({ snapshots, names, clock }: KafkaFeedsParts): Translator {
  const sent = new Map<string, number>();
  return async (messages, signal) => {
    const wanted = new Map<string, number>();
    for (const { text } of messages) {
      for (const [order, version] of orderVersions(text)) {
        if ((sent.get(order) ?? 0) < version) wanted.set(order, Math.max(version, wanted.get(order) ?? 0));
      }
    }
    const orders = await rowsOf(snapshots, wanted, clock, signal);
    if (sent.size > REMEMBERED) sent.clear();
    return orders.map((order) => {
      sent.set(order.id, order.version);
      return {
        topic: names.facts,
        key: order.id,
        value: orderFacts(order),
        headers: [['content-type', 'application/json']] as const,
        timestampMs: order.updatedAt,
      };
    });
  };
}

/** The rows of these orders, each at least at its version. @throws when Postgres does not show one of them in time */
async function rowsOf(
  snapshots: Pick<Snapshots, 'lookUp'>,
  wanted: ReadonlyMap<string, number>,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly OrderState[]> {
  const missing = new Map(wanted);
  const found: OrderState[] = [];
  const until = clock.monotonic() + ROWS_MS;
  for (let attempt = 0; missing.size > 0 && !signal.aborted; attempt++) {
    if (attempt > 0) await pause(clock, attempt);
    const ids = [...missing.keys()];
    for (let i = 0; i < ids.length; i += limits.lookUpIds) {
      const { orders } = await snapshots.lookUp(ids.slice(i, i + limits.lookUpIds).map(orderId), []);
      for (const { state } of orders) {
        if (state.version < (missing.get(state.id) ?? 0)) continue;
        missing.delete(state.id);
        found.push(state);
      }
    }
    const [[order, version] = []] = missing;
    if (order !== undefined && clock.monotonic() > until) {
      throw new Error(`the facts of order ${order} wait: Postgres does not have it at version ${version} yet`);
    }
  }
  return found;
}
