// A durable consumer of FEED, made with nats.js as a colleague's service would, while fillers and the broker are killed: it
// sees each event, and those of an order in order. It knows an event that comes again by its id.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Consumer, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { feedMessages, idOf, whyWrong } from '../contract/rig/feed-reading.js';
import { WrittenEvents } from '../contract/rig/written-events.js';
import { patientMs, until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';

const FILLER = fileURLToPath(new URL('rig/feed-process.js', import.meta.url));
const ROUNDS = 4;
const TURNS = 40;
const WITHIN_MS = 40_000;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A service that takes each order's events once, by their ids, as NATS.md shows it. */
async function follow(url: string, until: AbortSignal, seen: string[]): Promise<void> {
  const { username: user, password: pass, host } = new URL(url);
  const nc = await connect({ servers: host, user, pass, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  const known = new Set<string>();
  let consumer: Consumer | undefined;
  try {
    while (!until.aborted) {
      try {
        const jsm = await jetstreamManager(nc);
        await jsm.consumers.add('FEED', {
          durable_name: 'colleague',
          ack_policy: 'explicit',
          filter_subject: 'feed.order.>',
          // In order: the next event comes when this one is acknowledged.
          max_ack_pending: 1,
          ack_wait: 1_000_000_000,
        });
        consumer = await jetstream(nc).consumers.get('FEED', 'colleague');
        for await (const message of await consumer.fetch({ max_messages: 200, expires: 1_000 })) {
          const id = message.headers?.get('ce-id') ?? '';
          if (!known.has(id)) seen.push(id);
          known.add(id);
          message.ack();
        }
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50)); // The broker is away.
      }
    }
  } finally {
    await nc.close();
  }
}

test('a durable consumer sees each event once and in order while fillers and the broker are killed', async () => {
  const server = await realNats();
  if ('skipped' in server) return console.log(`SKIP ${server.skipped}`);
  const nats = await connectNats(server.url, { name: 'feed test', log });
  const fillers = new Set<ChildProcess>();
  const begin = () => {
    const env = { ...process.env, NATS_URL: server.url };
    const filler = spawn(process.execPath, [FILLER], { env, stdio: 'ignore' });
    fillers.add(filler);
    return filler;
  };
  const kill = (filler: ChildProcess | undefined) => {
    filler?.kill('SIGKILL');
    if (filler !== undefined) fillers.delete(filler);
  };
  const over = new AbortController();
  const seen: string[] = [];
  const written = new WrittenEvents(nats);
  const following = follow(server.url, over.signal, seen);
  try {
    begin();
    await written.write(3);
    const hasBegun = async () => ((await streamInfo(nats, 'FEED').catch(() => undefined))?.state.last_seq ?? 0) > 0;
    assert.ok(await until(hasBegun, WITHIN_MS), 'FEED is filled');
    for (let round = 0; round < ROUNDS; round++) {
      if (round === 2) begin(); // A second one, by mistake.
      const writing = written.write(TURNS);
      await new Promise((resolve) => setTimeout(resolve, patientMs(100 + 150 * Math.random())));
      kill([...fillers][0]);
      begin();
      if (round % 2 === 1) process.kill(server.pid(), 'SIGKILL');
      await writing;
      if (round % 2 === 1) await written.refill(); // As publishers do when the broker is back.
    }
    const orders = written.expected.filter(({ id }) => id.startsWith('order/'));
    assert.ok(
      await until(() => seen.length >= orders.length, WITHIN_MS),
      `${seen.length} of ${orders.length} were seen`,
    );
    assert.is(whyWrong(seen, orders), undefined);
    const all = (await feedMessages(nats)).map(idOf);
    assert.is(whyWrong(all, written.expected), undefined, 'FEED itself has each once');
  } finally {
    over.abort();
    for (const filler of fillers) filler.kill('SIGKILL');
    await following;
    await nats.close();
    await server.stop();
  }
});

test.run();
