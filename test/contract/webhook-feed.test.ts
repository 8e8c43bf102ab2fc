// The feed of webhooks from a real EVENTS to receivers that fail, are slow, never answer, redirect and close.
import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { connectNats } from '../../bus/nats/nats.js';
import { systemClock } from '../../bus/system-clock.js';
import { guardedPoster } from '../../bus/webhooks/post.js';
import { targetGuard } from '../../bus/webhooks/target-guard.js';
import { webhookFeed } from '../../bus/webhooks/webhook-feed.js';
import { memoryWebhooks } from '../../storage/memory/memory-webhooks.js';
import { until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';
import { EventPublisher } from './rig/published-events.js';
import { uniqueName } from './rig/storage-samples.js';
import { misplaced, WebhookReceiver } from './rig/webhook-receiver.js';

const ARRIVES_MS = 5_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`;

const server = process.env.TEST_NATS_URL ? { url: process.env.TEST_NATS_URL, stop: async () => {} } : await realNats();
if ('skipped' in server) {
  console.log(`SKIP ${server.skipped}`);
} else {
  const nats = await connectNats(server.url, { name: 'webhook test', log: quiet });
  await nats.api('STREAM.DELETE.EVENTS').catch(() => {});
  const events = await jetstreamEvents(nats, { replicas: 1 });
  const test = suite('webhook feed');
  const stops: (() => Promise<unknown>)[] = [];
  test.after.each(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function started(more: { readonly pausesMs?: readonly number[]; readonly answerMs?: number } = {}) {
    const { webhooks, queue } = memoryWebhooks(Date.now);
    const logged: string[] = [];
    const counted: Record<string, number> = {};
    const count = (name: string, by = 1) => {
      counted[name] = (counted[name] ?? 0) + by;
    };
    /** How many wait, if not as the store says; and how often that was asked. */
    const waits = { as: undefined as ReadonlyMap<string, number> | undefined, asked: 0 };
    const waiting = async () => {
      waits.asked++;
      return waits.as ?? (await queue.waiting());
    };
    const guard = targetGuard({ allow: ['127.0.0.1'], httpsOnly: true });
    const parts = {
      nats,
      queue: { ...queue, waiting },
      poster: guardedPoster(guard, { connectMs: 1_000, answerMs: more.answerMs ?? 5_000 }),
      agent: 'Holdfast-Test',
      clock: systemClock(),
      logger: {
        ...quiet,
        warn: (fields: object, line: string) => void logged.push(`${line} ${JSON.stringify(fields)}`),
      },
      meter: {
        taken: (deliveries: number) => count('taken', deliveries),
        attempted: (outcome: string) => count(outcome),
        disabled: (why: string) => count(`disabled ${why}`),
        gap: () => count('gap'),
        waiting() {},
      },
      clocksDifferMs: 0, // It is one machine.
      pausesMs: more.pausesMs ?? Array.from({ length: 50 }, () => 10),
    };
    const run = () => {
      const [feed, stopped] = [webhookFeed(parts), new AbortController()];
      const ran = feed.run(stopped.signal);
      const stop = async () => {
        stopped.abort();
        await ran;
      };
      stops.push(stop);
      return { feed, stop };
    };
    const { feed, stop } = run();
    const webhook = async (types: readonly string[] = ['*']) => {
      const secret = newSecret();
      const receiver = await WebhookReceiver.listen(secret);
      stops.push(() => receiver.stop());
      const id = uniqueName('WH');
      const made = await webhooks.create({ id, url: receiver.url, types, description: '', secret });
      if (made === undefined) throw new Error('not made');
      return { id, receiver };
    };
    const logOf = async (id: string) =>
      (await webhooks.deliveries(id, { state: undefined, before: undefined, limit: 1_000 })).deliveries;
    return { webhooks, queue, waits, feed, stop, run, webhook, logOf, logged, counted };
  }

  const actors = (name: string, count: number) => Array.from({ length: count }, (_, i) => `order/${name}-${i}`);

  test('each event arrives, in order of its actor, whatever the receiver does', async () => {
    const { webhook, counted, feed } = await started({ answerMs: 400 });
    const { receiver } = await webhook();
    const faults = [500, 'close', 302, 'never', 'slow', 429, 404] as const;
    receiver.react = (count) => (count % 3 === 0 ? (faults[(count / 3) % faults.length] ?? 500) : 204);
    const publisher = new EventPublisher(events);
    const names = actors('storm', 12);
    for (let i = 0; i < 10; i++)
      await publisher.turn(names.slice((i % 3) * 4, (i % 3) * 4 + 4), 'order.shipped.v1', i % 3);
    const expected = publisher.published.map(({ id }) => id).sort();
    await until(() => receiver.accepted.length === expected.length, ARRIVES_MS);
    assert.equal([...receiver.accepted].sort(), expected);
    assert.equal(misplaced(receiver.accepted), []);
    assert.equal(receiver.wrong, []);
    assert.ok(receiver.received.length > expected.length);
    assert.ok(receiver.received.every(({ missing }) => missing === undefined));
    assert.ok(receiver.mostAtOnce <= limits.webhookAttempts, `${receiver.mostAtOnce} at once`);
    assert.is(counted.taken, expected.length);
    assert.ok((counted.retry ?? 0) > 10);
    assert.ok(receiver.received.every(({ body }) => body.includes('"n":9007199254740993')));
    assert.ok(receiver.received.every(({ body }) => body.startsWith('{"timestamp":"2')));
    assert.is(feed.lag.messages, 0);
  });

  test('it gets the types that it wants, from its creation on; a new one does not get what was before', async () => {
    const { webhook } = await started();
    const all = await webhook(['order.*', 'inventory.held.v1']);
    const publisher = new EventPublisher(events, 1);
    await publisher.turn(['order/w-1'], 'order.placed.v1');
    await publisher.turn(['product/w-1'], 'inventory.held.v1');
    await publisher.turn(['product/w-1'], 'inventory.released.v1');
    await publisher.turn(['order/w-1'], 'order.confirmed.v1');
    await until(() => all.receiver.accepted.length === 3, ARRIVES_MS);
    const held = await webhook(['inventory.*']);
    await publisher.turn(['product/w-2'], 'inventory.held.v1');
    await until(
      () => held.receiver.accepted.includes('product/w-2/1') && all.receiver.accepted.length === 4,
      ARRIVES_MS,
    );
    assert.equal(all.receiver.accepted, ['order/w-1/1', 'product/w-1/1', 'order/w-1/2', 'product/w-2/1']);
  });

  test('after the last attempt the later events go on, and say that one is missing', async () => {
    const { webhook, logOf, webhooks } = await started({ pausesMs: [5, 5] });
    const { id, receiver } = await webhook();
    receiver.react = (_, event) => (event === 'order/m-1/2' ? 500 : 200);
    const publisher = new EventPublisher(events, 1);
    for (let i = 0; i < 4; i++) await publisher.turn(['order/m-1', 'order/m-2']);
    await until(() => receiver.accepted.length === 7, ARRIVES_MS);
    const missing = (event: string) => receiver.received.find((one) => one.id === event)?.missing;
    assert.is(missing('order/m-1/1'), undefined);
    assert.is(missing('order/m-1/3'), 'order/m-1/2');
    assert.is(missing('order/m-1/4'), 'order/m-1/2');
    assert.is(missing('order/m-2/4'), undefined);
    assert.equal(misplaced(receiver.accepted), []);
    const failed = (await logOf(id)).find(({ state }) => state === 'failed');
    assert.equal(
      [failed?.event, failed?.attempts, failed?.error, failed?.status],
      ['order/m-1/2', 3, 'the answer was 500', 500],
    );
    receiver.react = () => 200;
    await webhooks.redeliver(id, failed?.id ?? 0);
    await until(() => receiver.accepted.length === 8, ARRIVES_MS);
    assert.is(receiver.accepted.at(-1), 'order/m-1/2');
  });

  test('410 disables at once, and so does failure after failure; others are not held up', async () => {
    const { webhook, webhooks, counted, logged } = await started({ pausesMs: [] });
    const [gone, failing, well] = [await webhook(), await webhook(), await webhook()];
    gone.receiver.react = () => 410;
    failing.receiver.react = () => 503;
    const publisher = new EventPublisher(events, 1);
    const names = actors('d', limits.webhookFailures + 5);
    await publisher.turn(names);
    const why = async (id: string) => (await webhooks.find(id))?.disabledFor;
    await until(async () => (await why(gone.id)) === 'gone' && (await why(failing.id)) === 'failing', ARRIVES_MS);
    await until(() => well.receiver.accepted.length === names.length, ARRIVES_MS);
    assert.equal([await why(gone.id), await why(failing.id), await why(well.id)], ['gone', 'failing', undefined]);
    assert.equal([counted['disabled gone'], counted['disabled failing']], [1, 1]);
    assert.is(well.receiver.accepted.length, names.length);
    assert.ok(logged.some((line) => line.includes(gone.id) && line.includes('410 Gone')));
    failing.receiver.react = () => 200;
    await webhooks.change(failing.id, { enabled: true });
    await publisher.turn(['order/d-again']);
    await until(() => failing.receiver.accepted.includes('order/d-again/1'), ARRIVES_MS);
    assert.ok(failing.receiver.accepted.includes('order/d-again/1'));
  });

  test('one that is too far behind is disabled; while too much waits in all, nothing is read', async () => {
    const { feed, webhook, webhooks, queue, waits, counted, logged } = await started();
    const [behind, well] = [await webhook(), await webhook()];
    const publisher = new EventPublisher(events, 1);
    waits.as = new Map([
      [behind.id, limits.webhookWaiting + 1],
      [well.id, 0],
    ]);
    await publisher.turn(['order/b-1']);
    await until(() => well.receiver.accepted.length === 1, ARRIVES_MS);
    assert.is((await webhooks.find(behind.id))?.disabledFor, 'behind');
    assert.is(counted['disabled behind'], 1);
    waits.as = new Map(Array.from({ length: 6 }, (_, i) => [`other ${i}`, limits.webhookWaiting]));
    const isFull = async () => {
      await publisher.turn(['order/b-2']);
      return logged.some((line) => line.startsWith('too many deliveries wait'));
    };
    assert.ok(await until(isFull, ARRIVES_MS));
    const [{ version }, { asked }] = [await queue.place(), waits];
    await publisher.turn(['order/b-3']);
    await until(() => waits.asked > asked + 1, ARRIVES_MS);
    assert.is((await queue.place()).version, version);
    const { messages, ms } = feed.lag;
    assert.ok(messages > 0 && ms > 0, `what is at hand lags: ${messages} messages, ${ms} ms`);
    assert.ok(await until(() => feed.lag.ms > ms, ARRIVES_MS), 'and ever more');
    waits.as = undefined;
    await until(() => well.receiver.accepted.length === publisher.published.length, ARRIVES_MS);
    assert.equal([...well.receiver.accepted].sort(), publisher.published.map(({ id }) => id).sort());
  });

  test('both secrets sign after a rotation', async () => {
    const { webhook, webhooks } = await started();
    const { id, receiver } = await webhook();
    const publisher = new EventPublisher(events, 1);
    await webhooks.rotate(id, newSecret(), 60_000);
    await publisher.turn(['order/r-1']);
    await until(() => receiver.accepted.length === 1, ARRIVES_MS);
    assert.equal([receiver.accepted.length, receiver.wrong], [1, []]);
  });

  test('a feed that stops and starts again goes on where it was, and two at once send nothing twice that was taken', async () => {
    const { webhook, stop, run } = await started();
    const { receiver } = await webhook();
    const publisher = new EventPublisher(events, 1);
    await publisher.turn(actors('s', 5));
    await until(() => receiver.accepted.length === 5, ARRIVES_MS);
    await stop();
    await publisher.turn(actors('s', 5));
    run();
    run();
    for (let i = 0; i < 10; i++) await publisher.turn(actors('s', 5));
    await until(() => receiver.accepted.length === 60, ARRIVES_MS);
    assert.equal([...receiver.accepted].sort(), publisher.published.map(({ id }) => id).sort());
    assert.equal(misplaced(receiver.accepted), []);
    assert.is(receiver.received.length, 60);
  });

  test.after(async () => {
    await nats.close();
    await server.stop();
  });
  test.run();
}
