// The feed of webhooks is killed again and again while events come, twice with a second one beside it, and the receiver fails every
// third request. Each event arrives at least once, in order of its actor, with a signature that the specification's library
// verifies; in the log each is delivered exactly once. A sender that sleeps past its lease is succeeded, and wakes to nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import { jetstreamEvents } from '../../bus/events/jetstream-events.js';
import { connectNats } from '../../bus/nats/nats.js';
import { postgresWebhooks } from '../../storage/postgres/postgres-webhooks.js';
import { EventPublisher } from '../contract/rig/published-events.js';
import { testDatabase } from '../contract/rig/storage-database.js';
import { misplaced, WebhookReceiver } from '../contract/rig/webhook-receiver.js';
import { until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';

const KILLS = 4;
const ACTORS = 40;
const TURNS_EACH = 15;
/** Between two turns. */
const PUBLISH_MS = 100;
const RUNS_MS = 20_000;
const ARRIVES_MS = 60_000;
const PROCESS = fileURLToPath(new URL('rig/webhook-feed-process.js', import.meta.url));
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const test = suite('webhooks');
const server = await realNats();
const database = 'skipped' in server ? undefined : await testDatabase();
if ('skipped' in server) console.log(`SKIP webhooks: ${server.skipped}`);
else if (database === undefined) await server.stop();
else {
  const nats = await connectNats(server.url, { name: 'webhooks test', log: quiet });
  const events = await jetstreamEvents(nats, { replicas: 1 });
  const webhooks = postgresWebhooks(database.client);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const receiver = await WebhookReceiver.listen(secret);
  const children = new Set<ChildProcess>();
  let said = '';

  async function feed(more: NodeJS.ProcessEnv = {}, says = 'the feed runs'): Promise<ChildProcess> {
    const urls = { DATABASE_URL: database?.url, NATS_URL: 'url' in server ? server.url : '' };
    const env = { ...process.env, ...urls, ...more };
    const child = spawn(process.execPath, [PROCESS], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(child);
    const begun = said.length;
    child.stdout?.on('data', (piece) => {
      said += piece;
    });
    assert.ok(await until(() => said.includes(says, begun), RUNS_MS), `it does not say that ${says}`);
    return child;
  }
  const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
  const kill = async (child: ChildProcess) => {
    child.kill('SIGKILL');
    await until(() => ended(child), RUNS_MS);
  };

  test('killed four times, each event arrives in order, and is delivered once in the log', async () => {
    const id = 'WH-KILLED';
    await webhooks.create({ id, url: receiver.url, types: ['order.*'], description: '', secret });
    receiver.react = (count) => (count % 3 === 0 ? 500 : 204);
    const publisher = new EventPublisher(events, 2);
    const actors = Array.from({ length: ACTORS }, (_, i) => `order/K-${i}`);
    let running = await feed();
    for (let round = 0; round < KILLS; round++) {
      const before = receiver.received.length;
      for (let i = 0; i < TURNS_EACH; i++)
        await publisher.turn(
          actors.filter((_, n) => n % 2 === i % 2),
          'order.shipped.v1',
          i,
        );
      const second = round % 2 === 1 ? await feed() : undefined;
      // In the middle of it.
      assert.ok(
        await until(() => receiver.received.length > before + 50, ARRIVES_MS),
        `round ${round}: nothing arrives`,
      );
      await kill(running);
      running = second ?? (await feed());
    }
    const expected = publisher.published.map((event) => event.id).sort();
    assert.ok(
      await until(() => receiver.accepted.length >= expected.length, ARRIVES_MS),
      `${receiver.accepted.length} of ${expected.length}`,
    );
    assert.equal([...receiver.accepted].sort(), expected);
    assert.equal(misplaced(receiver.accepted), []);
    assert.equal(receiver.wrong, []);
    const log: string[] = [];
    const isLogged = async () => {
      log.length = 0;
      for (let before: number | undefined, more = true; more; ) {
        const page = await webhooks.deliveries(id, { state: 'delivered', before, limit: 100 });
        log.push(...page.deliveries.map(({ event }) => event));
        ({ more } = page);
        before = page.deliveries.at(-1)?.id;
      }
      return log.length >= expected.length;
    };
    await until(isLogged, ARRIVES_MS);
    assert.equal([...log].sort(), expected);
    const repeats = receiver.received.filter(({ reaction }) => reaction === 204).length - expected.length;
    console.log(`${expected.length} events, ${receiver.received.length} requests, ${repeats} sent again after a kill`);
    running.kill('SIGTERM');
    assert.ok(await until(() => ended(running), RUNS_MS), 'it does not stop');
    assert.is(running.exitCode, 0);
    const metric = (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(said)?.[1] ?? Number.NaN);
    assert.ok(metric('holdfast_webhook_attempts_total\\{outcome="delivered"\\}') > 0, said);
    assert.is(metric('holdfast_webhook_attempts_total\\{outcome="failed"\\}'), 0);
    assert.is(metric('holdfast_webhook_waiting_deliveries') >= 0, true);
    await webhooks.remove(id);
  });

  test('one that sleeps past its lease: another one goes on alone, and nothing is lost or out of order', async () => {
    const id = 'WH-ASLEEP';
    const second = await WebhookReceiver.listen(secret);
    try {
      await webhooks.create({ id, url: second.url, types: ['order.*'], description: '', secret });
      second.react = () => 'slow'; // So that some are under way when it falls asleep.
      const publisher = new EventPublisher(events, 2);
      const actors = Array.from({ length: ACTORS }, (_, i) => `order/S-${i}`);
      const sleeper = await feed({ LEASED: 'on', SENDER: 'sleeper' });
      const other = await feed({ LEASED: 'on', SENDER: 'other' }, 'another process runs this feed');
      let isOver = false;
      const publishing = (async () => {
        for (let i = 0; !isOver; i++) {
          const some = actors.filter((_, n) => n % 8 === i % 8);
          await publisher.turn(some, 'order.shipped.v1', i % 2);
          await pause(PUBLISH_MS);
        }
      })();
      const sentBy = (agent: string) => second.received.filter((each) => each.agent === agent).length;

      assert.ok(await until(() => sentBy('sleeper') > 50, ARRIVES_MS), 'the first one sends');
      sleeper.kill('SIGSTOP');
      assert.is(sentBy('other'), 0, 'while one sends the other one does not');
      assert.ok(await until(() => sentBy('other') > 200, ARRIVES_MS), `the other one goes on: ${said}`);
      const slept = sentBy('sleeper');
      sleeper.kill('SIGCONT');
      assert.ok(await until(() => /^sleeper: .*the lease feed webhooks is lost/m.test(said), RUNS_MS), said);
      const goesOn = async () => {
        const sent = sentBy('other');
        assert.ok(await until(() => sentBy('other') > sent + 50, ARRIVES_MS), 'the other one goes on beside it');
      };
      await goesOn(); // Meanwhile the sleeper's last requests arrive.
      const [awake, count] = [sentBy('sleeper'), publisher.published.length];
      await goesOn();
      isOver = true;
      await publishing;
      const expected = publisher.published.map((event) => event.id).sort();
      assert.ok(expected.length > count);
      assert.ok(await until(() => second.accepted.length >= expected.length, ARRIVES_MS));
      assert.is(sentBy('sleeper'), awake, 'without the lease it sends nothing');
      assert.equal([...second.accepted].sort(), expected);
      assert.equal(misplaced(second.accepted), []);
      assert.equal(second.wrong, []);
      // What was under way when it fell asleep comes again, and what it had claimed, and what ends with its lease.
      const repeats = second.received.length - expected.length;
      assert.ok(repeats <= 3 * limits.webhookAttempts, `${repeats} came again`);
      assert.ok(second.mostAtOnce <= 2 * limits.webhookAttempts, `${second.mostAtOnce} at once`);
      console.log(`asleep: ${repeats} of ${expected.length} came again, ${awake - slept} when it woke`);
      for (const child of [sleeper, other]) {
        child.kill('SIGTERM');
        assert.ok(await until(() => ended(child), RUNS_MS), 'it does not stop');
        assert.is(child.exitCode, 0);
      }
    } finally {
      await second.stop();
    }
  });

  test.after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await receiver.stop();
    await nats.close();
    await database.stop();
    await server.stop();
  });
  test.run();
}
