/**
 * The log on a real JetStream, the newest and the oldest supported. Beyond the contract: a broker that stops,
 * comes back, is full, has a wrong stream, or gets one stream from two clients at once.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Appended, Log } from '../../actors/ports/log.js';
import { jetstreamLog } from '../../bus/journal/jetstream-log.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { ensureStream, type StreamShape } from '../../bus/nats/streams.js';
import { patientMs } from '../deadlines.js';
import { natsBinary, realNats } from '../servers/real-servers.js';
import { logContract } from './log.suite.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

// ---------------------------------------------------------------- beyond the contract

async function appended(answer: Promise<Appended>): Promise<number> {
  const got = await answer;
  if (got.kind !== 'appended') throw new Error(`not appended but ${got.kind}`);
  return got.position;
}

async function readAll(from: Log, name: string): Promise<string[]> {
  const all: string[] = [];
  for (let at = 0; ; ) {
    const page = await from.read(name, at);
    if (page.length === 0) return all;
    for (const { position, record } of page) {
      assert.ok(position > at, 'positions grow');
      at = position;
      all.push(record);
    }
  }
}

/** The names of the contract as journals' logs. */
const asJournals = (made: Log): Log => ({
  append: (name, ...rest) => made.append(`journal.${name}`, ...rest),
  read: (name, after) => made.read(`journal.${name}`, after),
  end: (name) => made.end(`journal.${name}`),
  last: (name) => made.last(`journal.${name}`),
  trim: (name, upTo) => made.trim(`journal.${name}`, upTo),
});

function longLogs(version: string, made: Log): void {
  const test = suite(`log: jetstream ${version}`);

  test('a long log is read in pages without a gap, beside another log', async () => {
    let [at, otherAt] = [0, 0];
    const records = Array.from({ length: 1_300 }, (_, i) => `${i}:${'x'.repeat(i % 97)}ü😀`);
    for (const [i, record] of records.entries()) {
      at = await appended(made.append('journal.long', at, record));
      if (i % 3 === 0) otherAt = await appended(made.append('journal.beside', otherAt, 'other'));
    }
    assert.equal(await readAll(made, 'journal.long'), records);
    await made.trim('journal.long', at);
    assert.equal(await readAll(made, 'journal.long'), records.slice(-1));
    assert.is((await readAll(made, 'journal.beside')).length, 434);
  });

  test('the claims and the system log are logs as well', async () => {
    const at = await appended(made.append('claims', 0, 'map'));
    await appended(made.append('system', 0, 'settled'));
    assert.equal(await made.append('claims', 0, 'map'), { kind: 'conflict' });
    await appended(made.append('claims', at, 'map 2', { urgent: true }));
    assert.equal(await readAll(made, 'claims'), ['map', 'map 2']);
  });

  test('an append to a subject without a stream gives no answer', async () => {
    const error = await made.append('elsewhere', 0, 'x').catch((e: unknown) => e);
    assert.match(String(error), /Nobody answers elsewhere/);
  });

  test.run();
}

// ---------------------------------------------------------------- real brokers

// uvu starts at the first `run` that is followed by an await, so all servers are started before it.
const ends: (() => Promise<void>)[] = [];
const end = suite('log: the end');
const brokers: { version: string; nats: Nats; made: Log; connection: () => Promise<Nats> }[] = [];

const own = process.env.TEST_NATS_URL;
for (const version of own ? (['2.15'] as const) : (['2.15', '2.9'] as const)) {
  const server = own ? { url: own, stop: async () => {} } : await realNats(version);
  if ('skipped' in server) {
    console.log(`SKIP ${server.skipped}`);
    continue;
  }
  ends.push(server.stop);
  const connection = async () => {
    const nats = await connectNats(server.url, { name: 'log test', log });
    ends.unshift(() => nats.close());
    return nats;
  };
  const nats = await connection();
  await forget(nats);
  brokers.push({ version, nats, made: await jetstreamLog(nats, { replicas: 1 }), connection });
}
const binary = await natsBinary('2.15');

for (const { version, nats, made, connection } of brokers) {
  logContract(`jetstream ${version}`, () => asJournals(made));
  longLogs(version, made);
  setUp(version, nats, connection);
}

function setUp(version: string, nats: Nats, connection: () => Promise<Nats>): void {
  const test = suite(`log: jetstream ${version}, set up`);
  test.before.each(() => forget(nats));

  test('two clients that start at once create one stream', async () => {
    const other = await connection();
    const [a, b] = await Promise.all([jetstreamLog(nats, { replicas: 1 }), jetstreamLog(other, { replicas: 1 })]);
    const at = await appended(a.append('journal.S', 0, 'a'));
    assert.equal(await b.append('journal.S', 0, 'b'), { kind: 'conflict' });
    await appended(b.append('journal.S', at, 'b'));
  });

  for (const [field, wrong] of Object.entries({
    discard: 'old',
    max_age: 3_600_000_000_000,
    storage: 'memory',
    max_msgs_per_subject: 5,
    retention: 'interest',
    subjects: ['journal.*', 'claims'],
  })) {
    test(`a stream with a wrong ${field} is refused by name`, async () => {
      const right = { name: 'JOURNAL', subjects: ['journal.*', 'claims', 'system'], discard: 'new', num_replicas: 1 };
      await ensureStream(nats, { ...right, retention: 'limits', storage: 'file', [field]: wrong } as StreamShape, []);
      const error = await jetstreamLog(nats, { replicas: 1 }).catch((e: unknown) => e);
      assert.match(String(error), new RegExp(`JOURNAL .*${field} is`));
    });
  }

  test('fewer replicas than asked for are refused', async () => {
    await jetstreamLog(nats, { replicas: 1 });
    const error = await jetstreamLog(nats, { replicas: 3 }).catch((e: unknown) => e);
    assert.match(String(error), version === '2.9' ? /2\.10\.19/ : /num_replicas is 1, must be at least 3/);
  });

  test('a nearly full log takes urgent records only, a full one none; a trim makes room', async () => {
    const small = await jetstreamLog(nats, { replicas: 1, bytes: 1_000_000, reserveBytes: 300_000 });
    const record = 'x'.repeat(50_000);
    let at = 0;
    let last: Appended;
    for (;;) {
      last = await small.append('journal.F', at, record);
      if (last.kind !== 'appended') break;
      at = last.position;
    }
    assert.equal(last, { kind: 'full' });
    const before = (await readAll(small, 'journal.F')).length;
    assert.ok(before >= 12 && before <= 14, `${before} records`);
    for (;;) {
      last = await small.append('journal.F', at, record, { urgent: true });
      if (last.kind !== 'appended') break;
      at = last.position;
    }
    assert.equal(last, { kind: 'full' });
    assert.ok((await readAll(small, 'journal.F')).length > before + 3);
    await small.trim('journal.F', at);
    await appended(small.append('journal.F', at, record));
  });

  test('many nodes that append to one store leave the room for seals (hazard 18)', async () => {
    const nodes = await Promise.all(
      Array.from({ length: 4 }, async () =>
        jetstreamLog(await connection(), { replicas: 1, bytes: 2_000_000, reserveBytes: 600_000 }),
      ),
    );
    const record = 'x'.repeat(20_000);
    const ends = await Promise.all(
      nodes.map(async (node, i) => {
        for (let at = 0; ; ) {
          const answer = await node.append(`journal.N${i}`, at, record);
          if (answer.kind !== 'appended') return { at, answer };
          at = answer.position;
        }
      }),
    );
    for (const { answer } of ends) assert.equal(answer, { kind: 'full' });
    const { bytes = 0 } = (await nats.api<{ state: { bytes: number } }>('STREAM.INFO.JOURNAL')).state;
    assert.ok(bytes > 1_300_000 && bytes <= 1_400_000 + 4 * 20_500, `${bytes} bytes`);
    for (const [i, node] of nodes.entries()) {
      await appended(node.append(`journal.N${i}`, ends[i]?.at ?? 0, 'seal'.repeat(500), { urgent: true }));
    }
  });

  test('an oversized record is refused as such', async () => {
    const made = await jetstreamLog(nats, { replicas: 1 });
    const error = await made.append('journal.L', 0, 'x'.repeat(2_000_000)).catch((e: unknown) => e);
    assert.match(String(error), /cannot be sent.*max_payload/);
  });
  test.run();
}

// ---------------------------------------------------------------- a broker that stops

if ('missing' in binary) console.log(`SKIP no nats-server to stop: ${binary.missing}`);
else {
  const test = suite('log: a broker that stops');
  const { command } = binary;

  test('a stopped broker gives no answer in time, a killed one fails at once, and each is used again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-broker-'));
    const port = await freePort();
    let broker = await startBroker(command, port, folder);
    const nats = await connectNats(`nats://127.0.0.1:${port}`, { name: 'log test', log });
    try {
      const made = await jetstreamLog(nats, { replicas: 1 });
      let at = await appended(made.append('journal.A', 0, 'one'));

      broker.kill('SIGSTOP');
      // SIGSTOP takes effect with a delay: some appends may succeed before.
      let since: number;
      let last: Appended | Error;
      do {
        since = performance.now();
        last = await made.append('journal.A', at, 'filler').catch((e: Error) => e);
        if ('kind' in last && last.kind === 'appended') at = last.position;
      } while (!(last instanceof Error));
      assert.match(last.message, /did not answer/);
      assert.ok(performance.now() - since < patientMs(2_500));
      await becomes(nats, 'disconnected', 6_000);
      assert.match(
        String(await made.read('journal.A', at).catch((e: unknown) => e)),
        /was not sent: NATS is disconnected/,
      );
      broker.kill('SIGCONT');
      await becomes(nats, 'connected', 6_000);
      // An append without an answer is stored or not; a retry gives it one position either way.
      const found = await made.read('journal.A', at);
      const second = found[0]?.position ?? (await appended(made.append('journal.A', at, 'filler')));

      const flight = made.append('journal.A', second, 'three').catch((e: unknown) => e);
      broker.kill('SIGKILL');
      await flight;
      await becomes(nats, 'disconnected', 2_000);
      const refused = performance.now();
      assert.instance(await made.append('journal.A', second, 'three').catch((e: unknown) => e), Error);
      assert.ok(performance.now() - refused < patientMs(100), 'at once');
      broker = await startBroker(command, port, folder);
      await becomes(nats, 'connected', 6_000);
      const third = (await made.read('journal.A', second))[0]?.position;
      if (third === undefined) await appended(made.append('journal.A', second, 'three'));
      assert.equal(
        (await readAll(made, 'journal.A')).filter((record) => record !== 'filler'),
        ['one', 'three'],
      );
    } finally {
      await nats.close();
      broker.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  });
  test.run();
}

end('connections are closed and servers stopped', async () => {
  for (const stop of ends) await stop();
});
end.run();

// ---------------------------------------------------------------- machinery

async function forget(nats: Nats): Promise<void> {
  await nats.api('STREAM.DELETE.JOURNAL').catch(() => {});
}

function becomes(nats: Nats, status: string, withinMs: number): Promise<void> {
  if (nats.status === status) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ${status} within ${withinMs} ms`)), patientMs(withinMs));
    const unwatch = nats.watch((now) => {
      if (now !== status) return;
      clearTimeout(timer);
      unwatch();
      resolve();
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Resolves once the broker says that it is ready. */
function startBroker(command: string, port: number, folder: string): Promise<ChildProcess> {
  const broker = spawn(command, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder]);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nats-server was not ready in time')), patientMs(10_000));
    broker.once('error', reject);
    broker.stderr.on('data', (chunk: Buffer) => {
      if (!chunk.toString().includes('Server is ready')) return;
      clearTimeout(timer);
      resolve(broker);
    });
  });
}
