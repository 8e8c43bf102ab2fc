/**
 * The heartbeats in a NATS bucket, on the newest broker and on the oldest supported. Beyond the contract: the bucket is
 * one that NATS clients know, survives its own loss, and keeps no deadline waiting.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limits } from '../../actors/limits.js';
import type { Members } from '../../actors/ports/members.js';
import { connectNats, type Nats, type StreamInfo } from '../../bus/nats/nats.js';
import { natsMembers } from '../../bus/placement/nats-members.js';
import { freePort } from '../../deploy/servers/free-ports.js';
import { patientMs, until } from '../deadlines.js';
import { natsBinary, realNats } from '../servers/real-servers.js';
import { heartbeat, membersContract } from './members.suite.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const STREAM = 'KV_holdfast_nodes';
const membersOf = (nats: Nats): Members => natsMembers(nats, 1, () => 0);
const forget = (nats: Nats) => nats.api(`STREAM.DELETE.${STREAM}`).catch(() => {});

// uvu starts at the first `run` that is followed by an await, so all servers are started before it.
const ends: (() => Promise<void>)[] = [];
const brokers: { readonly version: string; readonly url: string; readonly one: Nats; readonly other: Nats }[] = [];
const own = process.env.TEST_NATS_URL;
for (const version of own ? (['2.15'] as const) : (['2.15', '2.9'] as const)) {
  const server = own ? { url: own, stop: async () => {} } : await realNats(version);
  if ('skipped' in server) {
    console.log(`SKIP ${server.skipped}`);
    continue;
  }
  ends.push(server.stop);
  const connection = async () => {
    const nats = await connectNats(server.url, { name: 'members test', log });
    ends.unshift(() => nats.close());
    return nats;
  };
  brokers.push({ version, url: server.url, one: await connection(), other: await connection() });
}
const binary = await natsBinary('2.15');

for (const { version, url, one, other } of brokers) {
  membersContract(`nats ${version}`, async () => {
    await forget(one);
    return [membersOf(one), membersOf(other)];
  });
  beyond(version, url, one, other);
}

function beyond(version: string, url: string, one: Nats, other: Nats): void {
  const test = suite(`members: nats ${version}`);
  test.before.each(async () => void (await forget(one)));

  test('two nodes that start at once make one bucket', async () => {
    const [a, b] = [membersOf(one), membersOf(other)];
    await Promise.all([a.put(heartbeat('A')), b.put(heartbeat('B'))]);
    assert.is((await a.all()).length, 2);
  });

  test('the stream is a bucket as NATS clients know it, in memory, with one value a key', async () => {
    await membersOf(one).put(heartbeat('A'));
    const { config } = await one.api<StreamInfo>(`STREAM.INFO.${STREAM}`);
    const { subjects, storage, max_msgs_per_subject, allow_rollup_hdrs, deny_delete, allow_direct } = config;
    assert.equal(
      { subjects, storage, max_msgs_per_subject, allow_rollup_hdrs, deny_delete, allow_direct },
      {
        ...{ subjects: ['$KV.holdfast_nodes.>'], storage: 'memory', max_msgs_per_subject: 1 },
        ...{ allow_rollup_hdrs: true, deny_delete: true, allow_direct: true },
      },
    );
    const direct = await other.request('$JS.API.DIRECT.GET.KV_holdfast_nodes.$KV.holdfast_nodes.A', '');
    assert.is(JSON.parse(direct.string()).node, 'A');
  });

  test('the nats CLI lists the nodes and shows their heartbeats', async () => {
    await membersOf(one).put(heartbeat('A', { digest: 'd7' }));
    const nats = async (...args: string[]) => (await promisify(execFile)('nats', ['-s', url, 'kv', ...args])).stdout;
    const listed = await nats('ls', 'holdfast_nodes').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      console.log('SKIP no nats CLI: go install github.com/nats-io/natscli/nats@v0.5.0');
    });
    if (listed === undefined) return;
    assert.match(listed, /^\W*A\W*$/m);
    assert.is(JSON.parse(await nats('get', 'holdfast_nodes', 'A', '--raw')).digest, 'd7');
  });

  test('what is no heartbeat of a node is left out, and so is a key that somebody deleted', async () => {
    const members = membersOf(one);
    for (const node of ['A', 'D']) await members.put(heartbeat(node));
    const put = (key: string, value: string) => one.publish(`$KV.holdfast_nodes.${key}`, value, 'any');
    for (const value of ['', '{', 'null', '7', '[]', '{"node":"B"}', JSON.stringify(heartbeat('C'))]) {
      await put('B', value);
      assert.equal((await members.all()).map((each) => each.heartbeat.node).sort(), ['A', 'D'], value);
    }
    await put('B', JSON.stringify({ ...heartbeat('B'), wants: [{ partition: '1', epoch: 1 }] }));
    await one.publish('$KV.holdfast_nodes.D', '', 'any', { headers: 'KV-Operation: DEL\r\n' });
    assert.equal(
      (await members.all()).map((each) => each.heartbeat.node),
      ['A'],
    );
  });

  test('a bucket that somebody deleted is made again', async () => {
    const members = membersOf(one);
    await members.put(heartbeat('A'));
    await forget(other);
    await members.put(heartbeat('A')).catch(() => {});
    await members.put(heartbeat('A'));
    assert.is((await members.all()).length, 1);
  });

  test.run();
}

if ('missing' in binary) console.log(`SKIP no nats-server to stop: ${binary.missing}`);
else {
  const test = suite('members: a broker that stops');
  const { command } = binary;

  test('a stopped broker gives no answer in time; one that comes back has lost the heartbeats, and takes new ones', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-members-'));
    const port = await freePort();
    let broker = await startBroker(command, port, folder);
    const nats = await connectNats(`nats://127.0.0.1:${port}`, { name: 'members test', log });
    try {
      const members = membersOf(nats);
      await members.put(heartbeat('A'));
      broker.kill('SIGSTOP');
      // SIGSTOP takes effect with a delay: some calls may succeed before.
      let since: number;
      let answers: PromiseSettledResult<unknown>[];
      do {
        since = performance.now();
        answers = await Promise.allSettled([members.put(heartbeat('A')), members.all()]);
      } while (answers.some(({ status }) => status === 'fulfilled'));
      assert.ok(performance.now() - since < patientMs(2 * limits.placementCallMs));
      broker.kill('SIGKILL');
      assert.ok(await until(() => nats.status === 'disconnected', 5_000));
      const refused = performance.now();
      assert.instance(await members.put(heartbeat('A')).catch((error: unknown) => error), Error);
      assert.ok(performance.now() - refused < patientMs(100), 'at once');
      broker = await startBroker(command, port, folder);
      assert.ok(await until(() => nats.status === 'connected', 6_000));
      assert.ok(await until(async () => (await members.all().catch(() => undefined))?.length === 0, 6_000));
      await members.put(heartbeat('A'));
      assert.is((await members.all()).length, 1);
    } finally {
      await nats.close();
      broker.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  });
  test.run();
}

const end = suite('members: the end');
end('connections are closed and servers stopped', async () => {
  for (const stop of ends) await stop();
});
end.run();

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
