// A store that refuses the connection: the error says what is wrong and names the variable, never the password.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectNats } from '../../bus/nats/nats.js';
import { explained } from '../../deploy/which-variable.js';
import { migrate } from '../../storage/postgres/migrate.js';
import { connectRedis } from '../../storage/redis/redis.js';
import { until } from '../deadlines.js';
import { realRedis } from '../servers/real-redis.js';
import { realNats, realPostgres } from '../servers/real-servers.js';

const test = suite('stores that let nobody in');
const SECRET = 's3cr3t';
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const failure = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'it was let in',
    (error: Error) => error.message,
  );

test('Postgres', async () => {
  const server = await realPostgres();
  if ('skipped' in server) return console.log(`SKIP Postgres that lets nobody in: ${server.skipped}`);
  try {
    const { port } = new URL(server.url);
    const own = new URL(server.url).password;
    const cases: readonly (readonly [string, RegExp])[] = [
      [`holdfast:${SECRET}@127.0.0.1:${port}/holdfast`, /the password of user "holdfast" is wrong/],
      [`nobody:${SECRET}@127.0.0.1:${port}/holdfast`, /the password of user "nobody" is wrong/],
      [`holdfast@127.0.0.1:${port}/holdfast`, /it wants a password of user "holdfast"/],
      [`holdfast:${own}@127.0.0.1:${port}/elsewhere`, /there is no database "elsewhere"/],
      [
        `holdfast:${SECRET}@no-such-host.invalid:5432/holdfast`,
        /no-such-host\.invalid:5432: there is no host of this name/,
      ],
      [`holdfast:${SECRET}@127.0.0.1:9/holdfast`, /127\.0\.0\.1:9: nobody listens there/],
      [`holdfast:${SECRET}@127.0.0.1:${port}/holdfast?sslmode=require`, /it does not know TLS/],
    ];
    for (const [rest, words] of cases) {
      const url = `postgres://${rest}`;
      const said = await failure(explained(migrate(url), url, 'DATABASE_URL'));
      assert.match(said, words);
      assert.match(said, /^Postgres cannot be used: .*\. Correct DATABASE_URL=postgres:\/\//);
      assert.not.match(said, SECRET);
      assert.not.match(said, own);
    }
    const ours = await failure(
      explained(migrate(`postgres://holdfast:x@127.0.0.1:${port}/holdfast`), undefined, 'DATABASE_URL'),
    );
    assert.match(ours, /^Our own Postgres cannot be used: /);
  } finally {
    await server.stop();
  }
});

test('NATS', async () => {
  const server = await realNats();
  if ('skipped' in server) return console.log(`SKIP NATS that lets nobody in: ${server.skipped}`);
  try {
    const { port } = new URL(server.url);
    const cases: readonly (readonly [string, RegExp])[] = [
      [`nats://holdfast:${SECRET}@127.0.0.1:${port}`, /it refuses this user, password or token/],
      [`nats://me:${SECRET}@127.0.0.1:9`, /127\.0\.0\.1:9: nobody listens there/],
      [`nats://me:${SECRET}@no-such-host.invalid:4222`, /there is no host of this name/],
    ];
    for (const [url, words] of cases) {
      const said = await failure(explained(connectNats(url, { name: 'test', log: silent }), url, 'NATS_URL'));
      assert.match(said, words);
      assert.match(said, /^NATS cannot be used: .*\. Correct NATS_URL=nats:\/\//);
      assert.not.match(said, SECRET);
    }
  } finally {
    await server.stop();
  }
});

test('Redis: the node runs without it, and one log line names the reason and the variable', async () => {
  const server = await realRedis();
  if ('skipped' in server) return console.log(`SKIP Redis that lets nobody in: ${server.skipped}`);
  const said: string[] = [];
  const hear = (fields: object, line: string) => void said.push(`${line} ${JSON.stringify(fields)}`);
  const logger = { ...silent, warn: hear };
  const url = new URL(server.url);
  url.password = SECRET;
  const wrong = connectRedis(url.href, logger, 'REDIS_URL');
  try {
    assert.ok(await until(() => said.length > 0, 10_000), 'it said nothing');
    assert.match(said.join('\n'), /Redis cannot be used: correct REDIS_URL.*it refuses this user or password/);
    assert.not.match(said.join('\n'), SECRET);
  } finally {
    wrong.end();
    await server.stop();
  }
});

test.run();
