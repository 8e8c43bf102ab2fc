// The environment: defaults, every mistake at once, no secret repeated.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, readConfig, VARIABLES, withoutSecrets } from '../../../deploy/config/config.js';

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
  assert.equal([config.orderWaitMs, config.orderTimeoutMs, config.stopDelayMs], [3000, 30_000, 0]);
  assert.equal([config.paymentSuccessRate, config.paymentLatencyMs], [1, 0]);
  assert.equal([config.partitions, config.journal, config.seed, config.fetchServers], [16, 'auto', 'demo', 'auto']);
});

test('the gremlin may be switched on unless that is forbidden', () => {
  assert.is(readConfig({}).gremlin, true);
  assert.is(readConfig({ GREMLIN: 'off' }).gremlin, false);
  assert.is(readConfig({ GREMLIN: 'ON' }).gremlin, true);
  assert.match(mistakesIn({ GREMLIN: 'yes' }).join(), /^GREMLIN is "yes"; it must be on or off/);
});

test('empty means unset, except for INVENTORY_PORT, where it means no port', () => {
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
  assert.equal(config.kafka?.brokers, ['k1:9092', 'k2:9092']);
  assert.is(config.redisUrl, 'redis://cache:6379');
  assert.is(readConfig({ DATABASE_URL: 'postgresql:///x?host=/run' }).databaseUrl, 'postgresql:///x?host=/run');
});

test('Kafka: off without brokers; names, copies, TLS and SASL as given', () => {
  assert.is(readConfig({}).kafka, undefined);
  assert.equal(readConfig({ KAFKA_BROKERS: '[::1]:9092' }).kafka, {
    ...{ brokers: ['[::1]:9092'], prefix: 'holdfast', partitions: 6 },
    ...{ replication: undefined, tls: undefined, sasl: undefined },
  });
  const { kafka } = readConfig({
    ...{ KAFKA_BROKERS: 'k:1', KAFKA_TOPIC_PREFIX: 'shop.eu', KAFKA_PARTITIONS: '12', KAFKA_REPLICATION: '3' },
    ...{ KAFKA_TLS: 'on', KAFKA_TLS_CA: '/ca.pem' },
    ...{ KAFKA_SASL: 'SCRAM-SHA-512', KAFKA_SASL_USER: 'feed', KAFKA_SASL_PASSWORD: 's3cr3t' },
  });
  assert.equal(kafka, {
    ...{ brokers: ['k:1'], prefix: 'shop.eu', partitions: 12, replication: 3 },
    tls: { ca: '/ca.pem', cert: undefined, key: undefined },
    sasl: { mechanism: 'SCRAM-SHA-512', user: 'feed', password: 's3cr3t' },
  });
});

test('Kafka: what goes together is wanted together, and a password is never shown', () => {
  const named = (env: NodeJS.ProcessEnv) => mistakesIn({ KAFKA_BROKERS: 'k:1', ...env }).map((m) => m.split(' ')[0]);
  assert.equal(named({ KAFKA_SASL: 'plain' }), ['KAFKA_SASL_USER', 'KAFKA_SASL_PASSWORD']);
  assert.equal(named({ KAFKA_SASL_USER: 'u', KAFKA_SASL_PASSWORD: 'p' }), ['KAFKA_SASL']);
  assert.equal(named({ KAFKA_TLS_CA: '/ca' }), ['KAFKA_TLS']);
  assert.equal(named({ KAFKA_TLS: 'on', KAFKA_TLS_CERT: '/c' }), ['KAFKA_TLS_KEY']);
  assert.equal(named({ KAFKA_TLS: 'on', KAFKA_TLS_KEY: '/k' }), ['KAFKA_TLS_CERT']);
  assert.equal(named({ KAFKA_BROKERS: '', KAFKA_TLS: 'on' }), ['KAFKA_BROKERS']);
  assert.equal(named({ KAFKA_TOPIC_PREFIX: 'a b', KAFKA_PARTITIONS: '0' }), ['KAFKA_TOPIC_PREFIX', 'KAFKA_PARTITIONS']);
  const mistakes = mistakesIn({
    KAFKA_BROKERS: 'k:1',
    KAFKA_SASL: 'plain',
    KAFKA_SASL_PASSWORD: 's3cr3t\u0001',
  }).join();
  assert.match(mistakes, 'KAFKA_SASL_PASSWORD is a secret');
  assert.not.match(mistakes, /s3cr3t/);
});

test('backups: where, how often, how long and for whom', () => {
  const none = readConfig({ DATA_DIR: '/data' }).backup;
  assert.equal(none, {
    ...{ folder: '/data/backup', port: 3002, everyMs: 300_000, keepDumps: 24, keepDays: 30 },
    ...{ recipient: undefined, offsite: undefined, s3Endpoint: undefined },
  });
  const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
  const given = readConfig({
    ...{ BACKUP_DIR: '/b', BACKUP_AGE_RECIPIENT: recipient, BACKUP_OFFSITE_URL: 's3://shop-backups/prod/' },
    BACKUP_S3_ENDPOINT: 'http://127.0.0.1:9000/',
  }).backup;
  assert.equal([given.folder, given.recipient, given.offsite], ['/b', recipient, 's3://shop-backups/prod/']);
  assert.is(given.s3Endpoint, 'http://127.0.0.1:9000');
  for (const [wrong, variable] of [
    [{ BACKUP_AGE_RECIPIENT: `${recipient}x` }, 'BACKUP_AGE_RECIPIENT'],
    [{ BACKUP_AGE_RECIPIENT: 'AGE-SECRET-KEY-1' }, 'BACKUP_AGE_RECIPIENT'],
    [{ BACKUP_OFFSITE_URL: 's3://UPPER' }, 'BACKUP_OFFSITE_URL'],
    [{ BACKUP_OFFSITE_URL: 'ftp://h' }, 'BACKUP_OFFSITE_URL'],
    [{ BACKUP_S3_ENDPOINT: 'http://h' }, 'BACKUP_OFFSITE_URL'],
    [{ ROLES: 'all,backup', BACKUP_PORT: '3001' }, 'BACKUP_PORT'],
    [{ BACKUP_EVERY_S: '9' }, 'BACKUP_EVERY_S'],
  ] as const) {
    assert.match(mistakesIn(wrong).join(), new RegExp(`^${variable} is `), JSON.stringify(wrong));
    assert.is(mistakesIn(wrong).length, 1);
  }
});

test('traces: off without an endpoint, and what the SDK would replace by a default is a mistake', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  assert.is(readConfig({}).traces, undefined);
  const all = { root: 'always_on', isParentBased: true, ratio: 1 };
  assert.equal(readConfig(endpoint).traces, all);
  assert.equal(readConfig({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://h/v1/traces' }).traces, all);
  assert.is(readConfig({ ...endpoint, OTEL_SDK_DISABLED: 'true' }).traces, undefined);
  assert.is(readConfig({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }).traces, undefined);
  assert.equal(readConfig({ ...endpoint, OTEL_TRACES_SAMPLER: '', OTEL_TRACES_SAMPLER_ARG: '' }).traces, all);
  const ratio = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' };
  assert.equal(readConfig({ ...endpoint, ...ratio, OTEL_TRACES_SAMPLER_ARG: '.01' }).traces, {
    ...{ root: 'traceidratio', isParentBased: true, ratio: 0.01 },
  });
  assert.equal(readConfig({ ...endpoint, OTEL_TRACES_SAMPLER: 'always_off' }).traces, {
    ...{ root: 'always_off', isParentBased: false, ratio: 1 },
  });
  for (const [wrong, variable] of [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
    [{ OTEL_TRACES_SAMPLER: 'some' }, 'OTEL_TRACES_SAMPLER'],
    [ratio, 'OTEL_TRACES_SAMPLER_ARG'],
    [{ ...ratio, OTEL_TRACES_SAMPLER_ARG: '1.01' }, 'OTEL_TRACES_SAMPLER_ARG'],
    [{ OTEL_TRACES_SAMPLER_ARG: '0.5' }, 'OTEL_TRACES_SAMPLER'],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'prod' }, 'OTEL_RESOURCE_ATTRIBUTES'],
  ] as const) {
    assert.match(mistakesIn(wrong)[0] ?? '', new RegExp(`^${variable} is `), JSON.stringify(wrong));
  }
  const mistakes = mistakesIn({ OTEL_EXPORTER_OTLP_HEADERS: 's3cr3t' }).join();
  assert.match(mistakes, 'OTEL_EXPORTER_OTLP_HEADERS is a secret');
  assert.not.match(mistakes, /s3cr3t/);
});

test('a payment provider: its URL without a trailing slash, its key, a deadline', () => {
  const config = readConfig({ PAYMENT_URL: 'https://pay.example/v1/', PAYMENT_KEY: 'sk_1' });
  assert.equal([config.paymentUrl, config.paymentKey], ['https://pay.example/v1', 'sk_1']);
  const none = readConfig({});
  assert.equal([none.paymentUrl, none.paymentKey, none.paymentTimeoutMs], [undefined, undefined, 10_000]);
  for (const wrong of ['pay.example', 'ftp://h', 'https://u:s3cr3t@h/v1', 'https://h/v1?key=s3cr3t', 'https://h/#a']) {
    const mistakes = mistakesIn({ PAYMENT_URL: wrong }).join();
    assert.match(mistakes, /^PAYMENT_URL is /, wrong);
    assert.not.match(mistakes, /s3cr3t/);
  }
  const mistakes = mistakesIn({ PAYMENT_KEY: 's3cr3t with blanks', PAYMENT_TIMEOUT_MS: '0' });
  assert.is(mistakes[0], 'PAYMENT_KEY is a secret; it must be 1 to 1000 visible ASCII characters.');
  assert.is(mistakes.length, 2);
});

test('every mistake is reported at once, by name, with the given value and the allowed ones', () => {
  const mistakes = mistakesIn({
    PORT: '99999',
    ENVIRONMENT: 'production',
    JOURNAL: 'paper',
    PARTITIONS: '0',
    PAYMENT_SUCCESS_RATE: '1.5',
    ORDER_WAIT_MS: '-1',
    STOP_DELAY_MS: '120001',
    KAFKA_BROKERS: 'k1',
    ROLES: 'edge',
    RATE_LIMIT: '100',
    TRUST_PROXY: '-1',
  });
  for (const name of [
    'PORT',
    'AUTH',
    'JOURNAL',
    'PARTITIONS',
    'PAYMENT_SUCCESS_RATE',
    'ORDER_WAIT_MS',
    'STOP_DELAY_MS',
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
  assert.is(mistakes.length, 11);
  assert.ok(mistakes.includes('PORT is "99999"; it must be a whole number from 0 to 65535.'));
});

test('a setting that this version does not have is refused, not ignored', () => {
  for (const ROLES of ['shop', 'edge,shop', 'edge actors', ',']) {
    assert.match(
      mistakesIn({ ROLES }).join(),
      /^ROLES is ".*"; it must be empty or all, or a list of edge, actors, feed, backup and boutique/,
    );
  }
  assert.is(mistakesIn({ AUTH: 'off', ROLES: 'all', RATE_LIMIT: 'off' }).length, 0);
});

test('the role boutique alone brings its own node; without a database it stores nothing', () => {
  const shop = { ROLES: 'boutique', CHECKOUT_UPSTREAM: 'checkoutservice:5050' };
  const of = (env: NodeJS.ProcessEnv) => {
    const { roles, keepsOrders, boutique } = readConfig({ ...shop, ...env });
    return [[...roles], keepsOrders, boutique.port];
  };
  assert.equal(of({ DATABASE_URL: 'postgres://d/x' }), [['boutique', 'edge', 'actors'], true, 5050]);
  assert.equal(of({ DATABASE_URL: 'postgres://d/x', NATS_URL: 'nats://n' }), [['boutique'], true, 5050]);
  assert.is(of({})[1], false);
  assert.equal(of({ ROLES: 'all,boutique' }), [['edge', 'actors', 'feed', 'boutique'], true, 5050]);
  assert.match(
    mistakesIn({ ROLES: 'boutique' }).join(),
    /^CHECKOUT_UPSTREAM is not set; it must be set, or EMAIL_UPSTREAM/,
  );
  assert.match(mistakesIn({ ...shop, CHECKOUT_UPSTREAM: 'http://x' }).join(), /host:port/);
});

test('a process has both roles, or one of them and stores that it shares with other nodes', () => {
  const shared = { NATS_URL: 'nats://n', DATABASE_URL: 'postgres://d/x' };
  for (const ROLES of ['', 'all', 'ALL', 'edge, actors, feed'])
    assert.equal([...readConfig({ ROLES }).roles], ['edge', 'actors', 'feed']);
  assert.equal([...readConfig({ ROLES: 'all, backup' }).roles], ['edge', 'actors', 'feed', 'backup']);
  for (const ROLES of ['edge', 'actors', 'feed', 'backup']) {
    assert.equal([...readConfig({ ROLES, ...shared }).roles], [ROLES]);
    for (const name of ['NATS_URL', 'DATABASE_URL']) {
      const [mistake] = mistakesIn({ ROLES, ...shared, [name]: '' });
      assert.match(mistake ?? '', /^ROLES is ".*"; it must be all, or come with NATS_URL and DATABASE_URL/);
    }
  }
});

test('who trims the journal is a user of the given brokers', () => {
  const urls = { NATS_URL: 'a:1,b:2', NATS_TRIM_URL: 'nats://t:x@a:1, t:x@b:2' };
  assert.equal(readConfig(urls).natsTrimUrls, ['nats://t:x@a:1', 'nats://t:x@b:2']);
  assert.equal(readConfig({ NATS_URL: 'a:1' }).natsTrimUrls, []);
  assert.match(
    mistakesIn({ NATS_TRIM_URL: 'nats://t:x@a:1' }).join(),
    /^NATS_URL is not set; it must be set where NATS_TRIM_URL is/,
  );
  assert.match(
    mistakesIn({ ...urls, NATS_TRIM_URL: 'http://t:s3cr3t@a' }).join(),
    /^NATS_TRIM_URL is "http:\/\/\*\*\*@a"/,
  );
});

// ---------------------------------------------------------------- production

const PRODUCTION = { ENVIRONMENT: 'production', AUTH: 'keys' } as const;
const LONG_KEY = 'f2a9c07d5b1e4836a0d4c91b7e3f5826';

test('production: AUTH=off is refused by name; keys and a secret admin key are accepted', () => {
  for (const off of [{}, { AUTH: 'off' }])
    assert.match(mistakesIn({ ENVIRONMENT: 'production', ...off }).join(), /^AUTH is .*must be keys/);
  assert.is(readConfig(PRODUCTION).auth, 'keys');
  assert.is(readConfig({ ...PRODUCTION, ADMIN_KEY: LONG_KEY }).adminKey, LONG_KEY);
  assert.is(readConfig({}).auth, 'off');
});

test('production: a well-known password is refused, naming the variable and not the password', () => {
  const url = (password: string) => `postgres://holdfast:${password}@db:5432/holdfast`;
  for (const password of ['holdfast', 'postgres', 'password', 'changeme', 'secret', 'Secret', 'p%40ssw0rd', '123456']) {
    for (const [name, value] of [
      ['DATABASE_URL', url(password)],
      ['DATABASE_URL', `postgres://db/x?user=u&password=${password}`],
      ['NATS_URL', `nats://ok:Zk3-qq81@a:4222,nats://u:${password}@b:4222`],
      ['NATS_URL', `nats://${password}@b:4222`],
      ['REDIS_URL', `redis://:${password}@cache:6379`],
      ['REDIS_URL', `user:${password}@cache:6379/1`],
      ['DATABASE_URL', `postgres://u:${password}@a:5432,b:5433/x?target_session_attrs=read-write`],
    ] as const) {
      const mistakes = mistakesIn({ ...PRODUCTION, [name]: value });
      assert.is(mistakes.length, 1, `${name}=${value}`);
      assert.match(mistakes[0] ?? '', new RegExp(`^${name} is .*password of your own in production`));
      assert.not.match(mistakes[0] ?? '', new RegExp(`:${password}@|=${password}`));
      assert.is(mistakesIn({ [name]: value }).length, 0, 'outside production it is the choice of who starts it');
    }
  }
  assert.match(
    mistakesIn({ ...PRODUCTION, PAYMENT_KEY: 'changeme' }).join(),
    /^PAYMENT_KEY is a secret; it must be one/,
  );
  const trims = { NATS_URL: 'nats://b:4222', NATS_TRIM_URL: 'nats://ok:Zk3-qq81@a:4222,nats://u:changeme@b:4222' };
  assert.match(
    mistakesIn({ ...PRODUCTION, ...trims }).join(),
    /^NATS_TRIM_URL is .*password of your own in production/,
  );
  const fine = { DATABASE_URL: url('Zk3-qq81'), NATS_URL: 'nats://b:4222', REDIS_URL: 'redis://default@cache:6379' };
  assert.is(mistakesIn({ ...PRODUCTION, ...fine }).length, 0);
});

test('production: PGPASSWORD counts as the password where it is the one in use', () => {
  const database = (url?: string) => ({ ...PRODUCTION, PGPASSWORD: 'holdfast', ...(url && { DATABASE_URL: url }) });
  for (const url of ['postgres://holdfast@db/shop', 'postgres://a,b:5433/shop?user=u', 'postgresql:///x?host=/run']) {
    const mistakes = mistakesIn(database(url));
    assert.is(mistakes.length, 1, url);
    assert.match(mistakes[0] ?? '', /^PGPASSWORD is a secret; it must be .*password of your own in production/);
    assert.is(mistakesIn({ ...database(url), PGPASSWORD: 'Zk3-qq81' }).length, 0);
    assert.is(mistakesIn({ ...database(url), ENVIRONMENT: 'development' }).length, 0);
  }
  for (const url of [undefined, 'postgres://u:Zk3-qq81@db/shop', 'postgres://db/shop?password=Zk3-qq81']) {
    assert.equal(mistakesIn(database(url)), [], `${url}: it is not used`);
  }
  // The URL's own password is the one in use, and it is no better.
  assert.match(mistakesIn(database('postgres://u@db/x?password=postgres')).join(), /^DATABASE_URL is /);
});

test('every password in our own examples is on the list of well-known ones', () => {
  const examples = ['compose.yaml', '.env.example', 'OPERATING.md']
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const found = [
    ...examples.matchAll(/PASSWORD:-([^}]+)\}|\b(?:postgres(?:ql)?|nats|redis):\/\/[^:@\s]*:([^@\s${]+)@/g),
  ];
  const passwords = [...new Set(found.map(([, inDefault, inUrl]) => inDefault ?? inUrl ?? ''))];
  assert.ok(passwords.includes('holdfast'), passwords.join());
  for (const password of passwords)
    assert.is(mistakesIn({ ...PRODUCTION, DATABASE_URL: `postgres://u:${password}@h/d` }).length, 1, password);
});

test('an admin key is long, in production no example, and never shown', () => {
  for (const key of ['short', LONG_KEY.slice(1), `${LONG_KEY} x`]) {
    const mistakes = mistakesIn({ AUTH: 'keys', ADMIN_KEY: key });
    assert.match(mistakes.join(), /^ADMIN_KEY is a secret; it must be at least 32/);
    assert.not.match(mistakes.join(), new RegExp(key));
  }
  for (const key of ['a'.repeat(40), 'changeme'.repeat(5), `example-${LONG_KEY}`, '0123456789abcdef0123456789abcdef']) {
    assert.match(mistakesIn({ ...PRODUCTION, ADMIN_KEY: key }).join(), /^ADMIN_KEY is a secret.*at random/);
    assert.is(mistakesIn({ AUTH: 'keys', ADMIN_KEY: key }).length, 0);
  }
});

test('tokens need an issuer and an audience, and in production TLS', () => {
  const issuer = 'https://login.example.org';
  const jwksUrl = 'https://login.example.org/keys';
  assert.equal(readConfig({ ...PRODUCTION, JWT_ISSUER: issuer, JWT_AUDIENCE: 'shop' }).tokens, {
    issuer,
    audience: 'shop',
    jwksUrl: undefined,
  });
  const whole = { JWT_ISSUER: issuer, JWT_AUDIENCE: 'shop', JWT_JWKS_URL: jwksUrl };
  assert.is(readConfig({ ...PRODUCTION, ...whole }).tokens?.jwksUrl, jwksUrl);
  assert.is(readConfig({ AUTH: 'keys' }).tokens, undefined);
  assert.match(mistakesIn({ AUTH: 'keys', JWT_ISSUER: issuer }).join(), /^JWT_AUDIENCE is not set/);
  assert.match(mistakesIn({ AUTH: 'keys', JWT_JWKS_URL: jwksUrl, JWT_AUDIENCE: 'x' }).join(), /^JWT_ISSUER is not set/);
  const plain = { ...whole, JWT_ISSUER: 'http://login', JWT_JWKS_URL: 'http://login/keys' };
  assert.is(mistakesIn({ AUTH: 'keys', ...plain }).length, 0);
  assert.is(mistakesIn({ ...PRODUCTION, ...plain }).length, 2);
});

test('the size and the age of EVENTS are unset unless they are given', () => {
  const { eventsBytes, eventsAgeMs, eventsPersonal } = readConfig({});
  assert.equal([eventsBytes, eventsAgeMs, eventsPersonal], [undefined, undefined, false]);
  const given = readConfig({ EVENTS_MIB: '4096', EVENTS_AGE_H: '24', EVENTS_PERSONAL: 'on' });
  assert.equal([given.eventsBytes, given.eventsAgeMs, given.eventsPersonal], [4 * 2 ** 30, 86_400_000, true]);
  for (const [name, wrong] of [
    ['EVENTS_MIB', '63'],
    ['EVENTS_MIB', '1GiB'],
    ['EVENTS_AGE_H', '0'],
    ['EVENTS_AGE_H', '87601'],
    ['EVENTS_PERSONAL', 'yes'],
  ] as const) {
    assert.match(mistakesIn({ [name]: wrong }).join(), new RegExp(`^${name} is "${wrong}"; it must be`));
  }
});

test('a rate limit is a number of requests in a number of seconds', () => {
  assert.equal([readConfig({}).rateLimit, readConfig({ RATE_LIMIT: 'OFF' }).rateLimit], [undefined, undefined]);
  assert.equal(readConfig({ RATE_LIMIT: '100/10' }).rateLimit, { requests: 100, seconds: 10 });
  for (const wrong of ['0/10', '100/0', '100/3601', '1000001/1', '100', '1.5/2', '-1/2', '100/10/1']) {
    assert.match(mistakesIn({ RATE_LIMIT: wrong }).join(), /^RATE_LIMIT is .*requests\/seconds such as 100\/10/, wrong);
  }
});

test('receivers of webhooks that are allowed are hosts, addresses and networks', () => {
  assert.equal(readConfig({}).webhookAllow, []);
  const given = ['hooks.internal', '10.1.0.0/16', '127.0.0.1', 'fd00::/8', '[::1]', 'a_b-c'];
  assert.equal(readConfig({ WEBHOOK_ALLOW: given.join(' , ') }).webhookAllow, given);
  for (const wrong of [
    'http://a.example',
    'a.example:80',
    '10.0.0.0/33',
    '10.0.0/8',
    'a.example/8',
    '::/129',
    '*',
    'a..b',
    '1.2.3.4/8/8',
    'a,,b',
  ])
    assert.match(mistakesIn({ WEBHOOK_ALLOW: wrong }).join(), /^WEBHOOK_ALLOW is /, wrong);
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

test('PAGE is on, and off where it says so', () => {
  assert.equal(
    [{}, { PAGE: 'on' }, { PAGE: 'off' }].map((env) => readConfig(env).page),
    [true, true, false],
  );
  assert.match(mistakesIn({ PAGE: 'none' }).join(), /^PAGE is "none"; it must be/);
});

test('.env.example names every variable with its default, and OPERATING names it too', () => {
  const example = readFileSync('.env.example', 'utf8');
  const names = [...example.matchAll(/^# ?([A-Z0-9_]+)=/gm)].map((found) => found[1]);
  const documented: NodeJS.ProcessEnv = {};
  for (const line of example.matchAll(/^# ?([A-Z0-9_]+)=(\S*)$/gm))
    if (line[1] !== undefined) documented[line[1]] = line[2];
  assert.equal(readConfig(documented), readConfig({}));
  const operating = readFileSync('OPERATING.md', 'utf8');
  for (const name of [...VARIABLES, 'SERVER_PORT']) {
    assert.ok(names.includes(name), `${name} is missing in .env.example`);
    assert.ok(operating.includes(`\`${name}\``), `${name} is missing in OPERATING.md`);
  }
});

test('MIGRATIONS_DATABASE_URL names the database of DATABASE_URL, which must be set too', () => {
  const owner = { MIGRATIONS_DATABASE_URL: 'postgres://owner@db/x' };
  assert.match(mistakesIn(owner).join(), /^DATABASE_URL is not set; it must be set where MIGRATIONS_DATABASE_URL is/);
  assert.is(
    readConfig({ ...owner, DATABASE_URL: 'postgres://node@db/x' }).migrationsUrl,
    owner.MIGRATIONS_DATABASE_URL,
  );
});

test('DATABASE_READ_URL is a replica of the database of DATABASE_URL, which must be set too', () => {
  const read = { DATABASE_READ_URL: 'postgres://reader@replica/x' };
  assert.match(mistakesIn(read).join(), /^DATABASE_URL is not set; it must be set where DATABASE_READ_URL is/);
  const config = readConfig({ ...read, DATABASE_URL: 'postgres://node@db/x' });
  assert.is(config.readUrl, read.DATABASE_READ_URL);
  assert.is(config.readLagMs, 1_000);
  assert.match(mistakesIn({ DATABASE_READ_LAG_MS: '499' }).join(), /must be a whole number from 500 to 60000/);
  const known = {
    ...PRODUCTION,
    DATABASE_URL: 'postgres://n:Zk3-qq81@db/x',
    DATABASE_READ_URL: 'postgres://n:postgres@db/x',
  };
  assert.match(mistakesIn(known).join(), /^DATABASE_READ_URL is /);
});

test.run();
