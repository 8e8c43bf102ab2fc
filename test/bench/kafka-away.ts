// How the feed comes back when Kafka was away: `AWAY_S=600 PACE_MS=300 npm run bench:kafka-away`. Orders come in all the time. It
// prints the rates and the slowest answers before, while Kafka is away, and until the lag is gone. Then a consumer of committed
// records must agree with the histories. Exit 0: it does.

import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../deadlines.js';
import { Burst } from '../faults/rig/burst.js';
import { KafkaRig } from '../faults/rig/kafka-rig.js';

const AWAY_S = Number(process.env.AWAY_S ?? 600);
/** Of each of the buyers, between two orders. */
const PACE_MS = Number(process.env.PACE_MS ?? 300);
const BUYERS = 16;
const BEFORE_MS = 20_000;
const AFTER_MS = 20_000;
const BEGUN_MS = 30_000;
const CAUGHT_UP_MS = 900_000;
const SAMPLE_MS = 250;
/** Such a lag is the pace of the feed, not a rest of what it missed. */
const NO_LAG = { seconds: 2, messages: 200 };
const FEEDS = ['kafka', 'kafka-facts'] as const;
const PRODUCTS = ['A1', 'A2', 'A3', 'A4'];

const built = await KafkaRig.build({ ROLES: 'edge,actors,feed' });
if ('skipped' in built) {
  console.log(`SKIP ${built.skipped}`);
  process.exit(1);
}
const rig = built;
const { system, kafka } = rig;
// More than can be bought.
await system.stock(PRODUCTS, 1_000_000);
function* purchases() {
  for (let i = 0; ; i++)
    yield { user: `u${i % 500}`, key: `away-${i}`, items: [{ product_id: PRODUCTS[i % 4] ?? '', quantity: 1 }] };
}
const burst = new Burst(system.url, purchases(), BUYERS, PACE_MS);

const gauge = (name: string, feed: string) => system.metric(`holdfast_feed_${name}\\{feed="${feed}"\\}`);
const sent = () => Promise.all(FEEDS.map((feed) => gauge('sent_total', feed)));
const isEven = async (feed: string) =>
  (await gauge('lag_seconds', feed)) <= NO_LAG.seconds && (await gauge('lag_messages', feed)) <= NO_LAG.messages;

/** Runs a part, and says how orders fared in it. */
async function part(name: string, run: () => Promise<unknown>): Promise<void> {
  const [since, answered] = [performance.now(), burst.answered];
  await run();
  const seconds = (performance.now() - since) / 1_000;
  const took = burst
    .attempts(since)
    .map(({ sentAt, endedAt }) => endedAt - sentAt)
    .sort((a, b) => a - b);
  const p99 = took[Math.floor(took.length * 0.99)] ?? 0;
  console.log(
    `${name}: ${seconds.toFixed(0)} s, ${((burst.answered - answered) / seconds).toFixed(0)} orders/s, ` +
      `p99 ${p99.toFixed(0)} ms, load ${loadavg()[0]?.toFixed(1)}`,
  );
}

await burst.reached(1);
const haveBegun = async () => (await sent()).every((count) => count > 0) && (await isEven('kafka'));
if (!(await until(haveBegun, BEGUN_MS, SAMPLE_MS))) throw new Error(`the feeds do not begin: ${system.lastWords()}`);
await part('before', () => pause(BEFORE_MS));
await kafka.kill();
await part('away', () => pause(AWAY_S * 1_000));
await kafka.start();
for (const feed of FEEDS) {
  console.log(
    `${feed}: ${await gauge('lag_messages', feed)} messages, ${(await gauge('lag_seconds', feed)).toFixed(0)} s behind`,
  );
}
await part('catching up', async () => {
  const [since, before] = [performance.now(), await sent()];
  const begun = new Map<string, number>();
  const left = new Set<string>(FEEDS);
  const haveCaughtUp = async () => {
    for (const [i, feed] of FEEDS.entries()) {
      const count = (await gauge('sent_total', feed)) - (before[i] ?? 0);
      if (!left.has(feed) || count === 0) continue;
      const now = performance.now();
      if (!begun.has(feed)) begun.set(feed, now);
      if (!(await isEven(feed))) continue;
      left.delete(feed);
      const [waited, took] = [((begun.get(feed) ?? now) - since) / 1_000, (now - (begun.get(feed) ?? now)) / 1_000];
      console.log(
        `${feed}: began ${waited.toFixed(1)} s after Kafka, ${count} records in ${took.toFixed(1)} s: ${Math.round(count / took)}/s`,
      );
    }
    return left.size === 0;
  };
  if (!(await until(haveCaughtUp, CAUGHT_UP_MS, SAMPLE_MS))) console.log(`not caught up: ${[...left]}`);
});
await part('after', () => pause(AFTER_MS));
await burst.stop();
console.log(`each of ${await rig.check()} events once and in order, of ${burst.answered} orders`);
await rig.stop();
process.exit(0);
