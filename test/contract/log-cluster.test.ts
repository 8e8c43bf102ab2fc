/**
 * The log on three real brokers that replicate. The newest ones keep the contract, also when each call goes to another broker.
 * Old ones let two writers win: they are refused with copies, and the trial at the start would find it by itself.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Log } from '../../actors/ports/log.js';
import { jetstreamLog, journalReplicas } from '../../bus/journal/jetstream-log.js';
import { tryCompareAndSet } from '../../bus/journal/self-test.js';
import { connectNats, type Nats } from '../../bus/nats/nats.js';
import { streamInfo, streamInfoWhenLed } from '../../bus/nats/streams.js';
import { systemClock } from '../../bus/system-clock.js';
import { until } from '../deadlines.js';
import { RealCluster } from '../servers/real-cluster.js';
import { logContract } from './log.suite.js';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const clock = systemClock();
const ends: (() => Promise<void>)[] = [];
const connected = async (url: string): Promise<Nats> => {
  const nats = await connectNats(url, { name: 'log test', log });
  ends.unshift(() => nats.close());
  return nats;
};
const start = async (version: '2.15' | '2.9'): Promise<RealCluster | undefined> => {
  const cluster = await RealCluster.start(version);
  if ('skipped' in cluster) {
    console.log(`SKIP three brokers: ${cluster.skipped}`);
    return undefined;
  }
  ends.push(() => cluster.stop());
  return cluster;
};
const [modern, old] = [await start('2.15'), await start('2.9')];
// uvu starts at the first `run` that is followed by an await, so everything is awaited before it.
const onModern = await Promise.all((modern?.url.split(',') ?? []).map(connected));
const logs: Log[] = [];
const purger = modern && (await connected(modern.urlAs('trim')));
for (const nats of onModern) logs.push(await jetstreamLog(nats, { replicas: 3, ...(purger && { purger }) }));
// A broker learns a moment late where a new stream's subjects are served. The trial is repeated until it does, as at a start.
for (const each of logs) await tryCompareAndSet(each, clock, log);
const onOld = old && (await connected(old.url));

if (modern !== undefined) {
  let calls = 0;
  const next = () => logs[++calls % logs.length] as Log;
  const journal = (name: string) => `journal.${name}`;
  const any: Log = {
    append: (name, ...rest) => next().append(journal(name), ...rest),
    read: (name, after) => next().read(journal(name), after),
    end: (name) => next().end(journal(name)),
    last: (name) => next().last(journal(name)),
    trim: (name, upTo) => next().trim(journal(name), upTo),
  };
  logContract('three brokers, each call to another', () => any);

  const test = suite('log: three brokers');
  test('they pass the trial of compare-and-set, also when three nodes start at once', async () => {
    await Promise.all(logs.map((each) => tryCompareAndSet(each, clock, log)));
  });

  test('a start waits for the next leader, and says what is missing where there can be none', async () => {
    const nats = await connected(modern.url);
    const killLeader = async () => {
      const leader = (await streamInfo(nats, 'JOURNAL'))?.cluster?.leader;
      await modern.kill(modern.names.find((name) => name === leader) ?? 'nats-1');
    };
    await killLeader();
    assert.is(await journalReplicas(nats), 3);
    await killLeader();
    const failure = await streamInfoWhenLed(nats, 'JOURNAL', 1_000).catch((e: unknown) => e);
    assert.match(String(failure), /JOURNAL has no leader: more than half of the brokers/);
  });
  test.run();
}

if (onOld !== undefined) {
  const test = suite('log: three old brokers');
  const nats = onOld;

  test('copies on them are refused, and nothing is made', async () => {
    const refused = await jetstreamLog(nats, { replicas: 3 }).catch((e: unknown) => e);
    assert.match(String(refused), /nats-server 2\.9\.10 does not keep two writers apart .* 3 replicas.*2\.10\.19/);
    assert.is(await streamInfo(nats, 'JOURNAL'), undefined);
  });

  test('so are copies that a stream has already, and the trial finds that two writers win', async () => {
    const single = await jetstreamLog(nats, { replicas: 1 });
    await tryCompareAndSet(single, clock, log);
    const info = await streamInfo(nats, 'JOURNAL');
    const operator = await connected(old?.urlAs('operator') ?? '');
    const hasCopies = async () => {
      // Brokers as old as these lose some of these requests.
      await operator.api('STREAM.UPDATE.JOURNAL', { ...info?.config, num_replicas: 3 }).catch(() => {});
      const { replicas = [] } = (await streamInfo(nats, 'JOURNAL'))?.cluster ?? {};
      return replicas.length === 2 && replicas.every((each) => each.current);
    };
    assert.ok(await until(hasCopies, 30_000, 100));
    assert.match(
      String(await jetstreamLog(nats, { replicas: 1 }).catch((e: unknown) => e)),
      /of 3 replicas.*2\.10\.19/,
    );
    const found = await tryCompareAndSet(single, clock, log).catch((e: unknown) => e);
    assert.match(String(found), /BrokenCompareAndSet.*two appends at the same position/);
  });
  test.run();
}

const end = suite('log: three brokers: the end');
end('connections are closed and brokers stopped', async () => {
  for (const stop of ends) await stop();
});
end.run();
