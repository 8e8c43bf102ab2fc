// Boards of K3s have the ceilings and the settings under which deploy/pi was measured.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Container, Overlay, sampleSecrets } from '../../deployed/manifests.js';
import { bytesOf, environmentOf, lastOf, unitOf } from '../../servers/unit-file.js';

/** A board with 4 GB, less what its system and K3s take. */
const BOARD_BYTES = 3_000 * 1_048_576;
/** Settings of deploy/pi/postgres.conf that the image or the cluster has in another way, and those that are Postgres' own anyway. */
const ELSEWHERE = [
  ...['listen_addresses', 'port', 'hba_file', 'unix_socket_directories', 'max_connections', 'timezone', 'log_timezone'],
  ...['password_encryption', 'dynamic_shared_memory_type', 'logging_collector'],
  ...['fsync', 'synchronous_commit', 'full_page_writes'],
];
const test = suite('kubernetes on boards');
const built = await Overlay.build('k3s-pi');
if ('missing' in built) console.log(`SKIP the overlay k3s-pi: ${built.missing}`);
else check(built);

function check(overlay: Overlay): void {
  const file = (name: string) => readFileSync(`deploy/pi/${name}`, 'utf8');
  const ceiling = (unit: string) => bytesOf(lastOf(unitOf(file(`${unit}.service`)), 'MemoryMax'));
  const limitOf = (container: Container) => {
    const { memory = '' } = (container.resources?.limits ?? {}) as { memory?: string };
    return bytesOf(memory.replace('i', ''));
  };
  const containerOf = (pods: string) => overlay.podsOf(pods).spec.containers[0] as Container;

  test('k3s-pi: ceilings of memory are those of deploy/pi, and a board has room for its own', () => {
    const wanted = {
      holdfast: ceiling('holdfast'),
      feed: ceiling('holdfast-feed'),
      backup: ceiling('holdfast-backup'),
      nats: ceiling('nats-server'),
      postgres: ceiling('holdfast-postgres'),
      redis: ceiling('holdfast-redis'),
    };
    const limits = Object.fromEntries(Object.keys(wanted).map((pods) => [pods, limitOf(containerOf(pods))]));
    assert.equal(limits, wanted);
    assert.ok(wanted.holdfast + wanted.nats + wanted.backup < BOARD_BYTES);
    assert.ok(wanted.postgres + wanted.redis + wanted.feed < BOARD_BYTES);
    for (const [pods, its] of [
      ['holdfast', 'holdfast'],
      ['feed', 'holdfast-feed'],
      ['backup', 'holdfast-backup'],
    ] as const) {
      const [, ...words] = lastOf(unitOf(file(`${its}.service`)), 'ExecStart').split(' ');
      assert.equal(containerOf(pods).command?.slice(1, -1), words.slice(0, -1), pods);
    }
    const { GOMEMLIMIT, GOMAXPROCS } = environmentOf(file('nats-server.env'));
    const broker = overlay.environmentOf(containerOf('nats'), 'nats-0', sampleSecrets);
    assert.equal([broker.GOMEMLIMIT, broker.GOMAXPROCS], [GOMEMLIMIT, GOMAXPROCS]);
    assert.match(containerOf('redis').args?.join(' ') ?? '', /--maxmemory 96mb/);
    assert.match(file('redis.conf'), /^maxmemory 96mb$/m);
  });

  test('k3s-pi: nodes and Postgres write as seldom as those of deploy/pi', () => {
    for (const [pods, names] of [
      ['holdfast', ['READY_WRITE_S', 'DATABASE_POOL', 'FEED', 'EVENTS_MIB', 'EVENTS_AGE_H']],
      ['feed', ['DATABASE_POOL', 'FEED', 'EVENTS_MIB', 'EVENTS_AGE_H']],
      ['backup', ['DATABASE_POOL', 'BACKUP_EVERY_S', 'BACKUP_KEEP_DUMPS', 'EVENTS_MIB', 'EVENTS_AGE_H']],
    ] as const) {
      const env = overlay.environmentOf(containerOf(pods), `${pods}-0`, sampleSecrets);
      const theirs = environmentOf(file(pods === 'holdfast' ? 'holdfast.env' : `holdfast-${pods}.env`));
      for (const name of names) assert.is(env[name], theirs[name], `${pods}: ${name}`);
    }
    const settings = (text: string, line: RegExp) =>
      Object.fromEntries([...text.matchAll(line)].map(([, name = '', value = '']) => [name, value]));
    const here = settings((containerOf('postgres').args ?? []).join('\n'), /^(\w+)=(.*)$/gm);
    const there = settings(file('postgres.conf'), /^(\w+) = '?([^'\n]*)'?$/gm);
    const ours = Object.keys(there).filter((name) => !ELSEWHERE.includes(name));
    assert.ok(ours.length > 10);
    for (const name of ours) assert.is(here[name], there[name], name);
  });
}

test.run();
