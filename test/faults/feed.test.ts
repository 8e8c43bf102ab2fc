// A durable consumer of FEED, made with nats.js as a colleague's service would, while fillers and the broker are killed: it
// sees each event, and those of an order in order. It knows an event that comes again by its id.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import { feedMessages, idOf, whyWrong } from '../contract/rig/feed-reading.js';
import { WrittenEvents } from '../contract/rig/written-events.js';
import { patientMs, until } from '../deadlines.js';
import { realNats } from '../servers/real-servers.js';
import { Colleague } from './rig/colleague.js';

const FILLER = fileURLToPath(new URL('rig/feed-process.js', import.meta.url));
const ROUNDS = 4;
const TURNS = 40;
const WITHIN_MS = 40_000;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

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
  const written = new WrittenEvents(nats);
  const colleague = new Colleague(server.url, { filter: 'feed.order.>', ackMs: 1_000 });
  const { seen } = colleague;
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
    assert.is(
      whyWrong(
        seen.map(({ id }) => id),
        orders,
      ),
      undefined,
    );
    const all = (await feedMessages(nats)).map(idOf);
    assert.is(whyWrong(all, written.expected), undefined, 'FEED itself has each once');
  } finally {
    for (const filler of fillers) filler.kill('SIGKILL');
    await colleague.stop();
    await nats.close();
    await server.stop();
  }
});

test.run();
