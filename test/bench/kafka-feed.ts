// How fast the feed of Kafka is, and what a record costs it: `npm run bench:kafka`. EVENTS is filled first, with turns of 20
// orders, then the feed sends it all.

import { journalId, type OrderId, orderId, productId, userId } from '../../actors/ids.js';
import { eventBatch } from '../../actors/node/cloud-events.js';
import type { Cascade } from '../../actors/node/record.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { natsEventSource } from '../../bus/kafka/event-source.js';
import { kafkaFeeds, topicNames } from '../../bus/kafka/kafka-feeds.js';
import { kafkaTopics } from '../../bus/kafka/kafka-topics.js';
import { connectNats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { until } from '../deadlines.js';
import { realKafka } from '../servers/real-kafka.js';
import { realNats } from '../servers/real-servers.js';

const ORDERS = Number(process.env.ORDERS ?? 20_000);
const ORDERS_A_TURN = 20;
const EVENTS_AN_ORDER = 6;
const WAIT_MS = 120_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function eventsOf(order: OrderId, n: number): Cascade['events'] {
  const product = productId(`P${n % 7}`);
  const of = { kind: 'order', id: order } as const;
  const stock = { kind: 'product', id: product } as const;
  const answers = [{ product, answer: 'held', unitPrice: 1_999, currency: 'EUR' }] as const;
  const content = { user: userId(`u${n}`), userIsNumber: false, lines: [{ product, quantity: 1 }] };
  return [
    { of, version: 1, event: { type: 'placed', content } },
    { of: stock, version: 2 * n + 1, event: { type: 'held', order, quantity: 1 } },
    { of, version: 2, event: { type: 'held', answers, currency: 'EUR', total: 1_999 } },
    { of, version: 3, event: { type: 'paid', captured: true } },
    { of, version: 4, event: { type: 'confirmed' } },
    { of: stock, version: 2 * n + 2, event: { type: 'committed', order, quantity: 1 } },
  ] as unknown as Cascade['events'];
}

const [kafka, broker] = [await realKafka(), await realNats()];
if ('skipped' in kafka || 'skipped' in broker) {
  console.log(`SKIP ${'skipped' in kafka ? kafka.skipped : (broker as { skipped: string }).skipped}`);
  process.exit(1);
}
const clock = systemClock();
const nats = await connectNats(broker.url, { name: 'bench', log: quiet });
const events = await jetstreamEvents(nats, { replicas: 1 });
const journal = journalId(clock.id());
let at = 0;
for (let turn = 1; turn <= ORDERS / ORDERS_A_TURN; turn++) {
  const cascades = Array.from({ length: ORDERS_A_TURN }, (_, i) => {
    const id = clock.id();
    return { correlation: id, events: eventsOf(orderId(`ORD-${id}`), turn * ORDERS_A_TURN + i) };
  });
  const batch = eventBatch({ at: Date.now(), cascades }, '/holdfast/bench');
  const answer = await events.publish(journal, at, turn, batch, { previous: turn - 1 });
  if (answer.kind !== 'appended') throw new Error(answer.kind);
  at = answer.position;
}
const access = { brokers: [kafka.broker], clientId: 'bench', tls: undefined, sasl: undefined, replication: undefined };
const [feed] = kafkaFeeds({
  topics: async () => kafkaTopics(access),
  source: natsEventSource(nats, clock, quiet),
  snapshots: { lookUp: async () => ({ orders: [], writes: [] }) },
  ...{ names: topicNames('bench'), partitions: 6, system: clock.id(), clock, logger: quiet },
});
const over = new AbortController();
const [since, cpu] = [performance.now(), process.cpuUsage()];
const running = feed.run(over.signal);
const all = ORDERS * EVENTS_AN_ORDER;
const done = await until(() => feed.sent >= all, WAIT_MS);
const { user, system } = process.cpuUsage(cpu);
const seconds = (performance.now() - since) / 1_000;
over.abort();
await running;
console.log(
  `${feed.sent} of ${all} records in ${seconds.toFixed(1)} s: ${Math.round(feed.sent / seconds)}/s, ` +
    `${((user + system) / feed.sent).toFixed(1)} us of CPU each${done ? '' : ' (not all came in time)'}`,
);
await nats.close();
await broker.stop();
await kafka.stop();
process.exit(done ? 0 : 1);
