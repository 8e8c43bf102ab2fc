// The environment: defaults, every mistake at once, no secret repeated.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, readConfig, withoutSecrets } from '../../deploy/config.js';

const test = suite('config');

function mistakesIn(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

test('an empty environment is the documented default', () => {
  const config = readConfig({});
  assert.is(config.port, 3000);
  assert.is(config.inventoryPort, 3001);
  assert.is(config.host, '127.0.0.1');
  assert.is(config.dataDir, resolve('.data'));
  assert.is(config.databaseUrl, undefined);
  assert.equal(config.natsUrls, []);
  assert.equal([config.orderWaitMs, config.orderTimeoutMs], [3000, 30_000]);
  assert.equal([config.paymentSuccessRate, config.paymentLatencyMs], [1, 0]);
  assert.equal([config.partitions, config.journal, config.seed, config.fetchServers], [16, 'auto', 'demo', 'auto']);
});

test('empty means unset, but for INVENTORY_PORT, where it means none', () => {
  assert.is(readConfig({ PORT: '', INVENTORY_PORT: '' }).inventoryPort, undefined);
  assert.is(readConfig({ PORT: '' }).port, 3000);
  assert.is(readConfig({ PORT: '3001', INVENTORY_PORT: '' }).port, 3001);
});

test('SERVER_PORT is an alias of PORT, and PORT wins', () => {
  assert.is(readConfig({ SERVER_PORT: '4000' }).port, 4000);
  assert.is(readConfig({ SERVER_PORT: '4000', PORT: '5000' }).port, 5000);
  assert.match(mistakesIn({ SERVER_PORT: 'x' }).join(), /^SERVER_PORT is "x"/);
});

test('lists and schemes', () => {
  const config = readConfig({ NATS_URL: 'nats://a:1, b:2', KAFKA_BROKERS: 'k1:9092,k2:9092', REDIS_URL: 'cache:6379' });
  assert.equal(config.natsUrls, ['nats://a:1', 'nats://b:2']);
  assert.equal(config.kafkaBrokers, ['k1:9092', 'k2:9092']);
  assert.is(config.redisUrl, 'redis://cache:6379');
  assert.is(readConfig({ DATABASE_URL: 'postgresql:///x?host=/run' }).databaseUrl, 'postgresql:///x?host=/run');
});

test('every mistake is reported at once, by name, with what was given and what is allowed', () => {
  const mistakes = mistakesIn({
    PORT: '99999',
    ENVIRONMENT: 'production',
    JOURNAL: 'paper',
    PARTITIONS: '0',
    PAYMENT_SUCCESS_RATE: '1.5',
    ORDER_WAIT_MS: '-1',
    KAFKA_BROKERS: 'k1',
    ROLES: 'edge',
    RATE_LIMIT: '100',
    TRUST_PROXY: '-1',
  });
  for (const name of [
    'PORT',
    'ENVIRONMENT',
    'JOURNAL',
    'PARTITIONS',
    'PAYMENT_SUCCESS_RATE',
    'ORDER_WAIT_MS',
    'KAFKA_BROKERS',
    'ROLES',
    'RATE_LIMIT',
    'TRUST_PROXY',
  ]) {
    assert.is(
      mistakes.filter((mistake) => mistake.startsWith(`${name} is `)).length,
      1,
      `${name} in:\n${mistakes.join('\n')}`,
    );
  }
  assert.is(mistakes.length, 10);
  assert.ok(mistakes.includes('PORT is "99999"; it must be a whole number from 0 to 65535.'));
});

test('what this version does not have is refused, not ignored', () => {
  assert.match(mistakesIn({ AUTH: 'keys' }).join(), /AUTH is "keys".*API keys are not available in this version/);
  assert.match(mistakesIn({ ENVIRONMENT: 'production' }).join(), /AUTH=off/);
  assert.is(mistakesIn({ AUTH: 'off', ROLES: 'all', RATE_LIMIT: 'off' }).length, 0);
});

test('a rate limit is so many requests in so many seconds', () => {
  assert.equal([readConfig({}).rateLimit, readConfig({ RATE_LIMIT: 'OFF' }).rateLimit], [undefined, undefined]);
  assert.equal(readConfig({ RATE_LIMIT: '100/10' }).rateLimit, { requests: 100, seconds: 10 });
  for (const wrong of ['0/10', '100/0', '100/3601', '1000001/1', '100', '1.5/2', '-1/2', '100/10/1']) {
    assert.match(mistakesIn({ RATE_LIMIT: wrong }).join(), /^RATE_LIMIT is .*requests\/seconds such as 100\/10/, wrong);
  }
});

test('no password is repeated', () => {
  const mistakes = mistakesIn({
    DATABASE_URL: 'mysql://me:s3cr3t@h/d',
    NATS_URL: 'ftp://u:s3cr3t@h',
    REDIS_URL: 'x://:s3cr3t@h',
  });
  assert.is(mistakes.length, 3);
  assert.not.match(mistakes.join(), /s3cr3t/);
  assert.not.match(withoutSecrets('postgres://h/d?user=u&password=s3cr3t&ssl=1'), /s3cr3t/);
  assert.not.match(withoutSecrets('postgres://u:s3cr3t/with@odd@h/d'), /s3cr3t/);
});

test('.env.example names every variable of the schema, with its default', () => {
  const example = readFileSync('.env.example', 'utf8');
  const names = [...example.matchAll(/^# ?([A-Z_]+)=/gm)].map((found) => found[1]);
  const documented: NodeJS.ProcessEnv = {};
  for (const line of example.matchAll(/^# ?([A-Z_]+)=(\S*)$/gm))
    if (line[1] !== undefined) documented[line[1]] = line[2];
  assert.equal(readConfig(documented), readConfig({}));
  for (const name of [
    'PORT',
    'SERVER_PORT',
    'DATA_DIR',
    'DATABASE_URL',
    'NATS_MONITOR_URL',
    'JOURNAL',
    'SEED',
    'FETCH_SERVERS',
  ]) {
    assert.ok(names.includes(name), `${name} is missing in .env.example`);
  }
});

test.run();
