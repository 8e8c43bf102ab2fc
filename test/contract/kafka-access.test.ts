// The ways to a secured Kafka, as the variables have them: TLS, users, certificates, rights. What Kafka refuses is said with the
// variable to correct, and without the password.

import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TopicRecord, Topics } from '../../bus/kafka/topics.js';
import { readConfig } from '../../deploy/config/config.js';
import { connectKafka } from '../../deploy/feed/kafka.js';
import { freePort } from '../../deploy/servers/free-ports.js';
import { authorityIn, type Certificate } from '../servers/certificates.js';
import { CommittedRecords } from '../servers/committed-records.js';
import { type Listener, type RealKafka, realKafka } from '../servers/real-kafka.js';
import type { Skipped } from '../servers/real-servers.js';

const READ_MS = 20_000;
const PAGE = new URL('../../../KAFKA.md', import.meta.url);
const PASSWORD = 'a-secret-of-tests';
const WRONG = 'another-secret';
const EVENTS = { name: 'access.v1', partitions: 1, compacted: false };
const CURSORS = { name: 'access-cursors.v1', partitions: 1, compacted: true };

interface Refused {
  readonly why: string;
  /** The name of a listener. */
  readonly at: string;
  readonly env: NodeJS.ProcessEnv;
  readonly says: RegExp;
}

interface Certificates {
  readonly here: Certificate;
  readonly elsewhere: Certificate;
  readonly old: Certificate;
  readonly feed: Certificate;
  readonly stranger: Certificate;
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-access-'));
const made = await certificates();
const kafka = 'skipped' in made ? made : await secured(made);
if ('skipped' in made || 'skipped' in kafka) {
  console.log(`SKIP the ways to Kafka: ${(kafka as Skipped).skipped}`);
  await rm(folder, { recursive: true });
} else {
  const test = suite('the ways to Kafka');
  const { here, elsewhere, feed, stranger } = made;
  const TLS = { KAFKA_TLS: 'on', KAFKA_TLS_CA: here.authority };
  const own = ({ certificate, key }: Certificate) => ({ KAFKA_TLS_CERT: certificate, KAFKA_TLS_KEY: key });
  const as = (mechanism: string, user = 'feed', password = PASSWORD) => ({
    ...{ KAFKA_SASL: mechanism, KAFKA_SASL_USER: user, KAFKA_SASL_PASSWORD: password },
  });
  const connect = (broker: string, env: NodeJS.ProcessEnv) =>
    connectKafka(readConfig({ KAFKA_BROKERS: broker, ...env }));

  /** @returns why not */
  async function refusal(broker: string, env: NodeJS.ProcessEnv, use = asked): Promise<string> {
    const topics = await connect(broker, env);
    try {
      return await use(topics).then(
        () => 'nothing is refused',
        (error: Error) => error.message,
      );
    } finally {
      await topics.close();
    }
  }
  const asked = (topics: Topics): Promise<unknown> => topics.filled([EVENTS.name]);

  test.after(async () => {
    await kafka.stop();
    await rm(folder, { recursive: true });
  });

  const WAYS = {
    'without anything': ['PLAINTEXT', {}],
    'over TLS': ['TLS', TLS],
    'with a certificate': ['MUTUAL', { ...TLS, ...own(feed) }],
    'with PLAIN over TLS': ['PLAIN', { ...TLS, ...as('plain') }],
    'with SCRAM-SHA-256 over TLS': ['SCRAM', { ...TLS, ...as('scram-sha-256') }],
    'with SCRAM-SHA-512 over TLS': ['SCRAM', { ...TLS, ...as('scram-sha-512') }],
  } as const;

  test('by each way a transaction is written, and consumers have it', async () => {
    const read = await CommittedRecords.of(kafka, [EVENTS.name]);
    try {
      for (const [way, [listener, env]] of Object.entries(WAYS)) {
        const topics = await connect(addressOf(listener), env);
        try {
          await topics.ensure([EVENTS, CURSORS]);
          const writer = await topics.open('access');
          await writer.write([record(EVENTS.name, 'feed', way), record(CURSORS.name, 'place', way)]);
          await writer.close();
          const next = await topics.open('access');
          assert.is(await topics.last(CURSORS.name, 'place'), way);
          await next.close();
        } finally {
          await topics.close();
        }
      }
      const wanted = Object.keys(WAYS);
      await read.atLeast(wanted.length, READ_MS);
      assert.equal(
        read.records.map(({ value }) => value),
        wanted,
      );
    } finally {
      await read.stop();
    }
  });

  const REFUSED: readonly Refused[] = [
    {
      ...{ why: 'another password, PLAIN', at: 'PLAIN', env: { ...TLS, ...as('plain', 'feed', WRONG) } },
      says: /refuses the user or the password: correct KAFKA_SASL_USER or KAFKA_SASL_PASSWORD \(PLAIN\)$/,
    },
    {
      ...{ why: 'another password, SCRAM', at: 'SCRAM', env: { ...TLS, ...as('scram-sha-256', 'feed', WRONG) } },
      says: /refuses the user or the password: correct KAFKA_SASL_USER or KAFKA_SASL_PASSWORD \(SCRAM-SHA-256\)$/,
    },
    {
      ...{ why: 'an unknown user', at: 'SCRAM', env: { ...TLS, ...as('scram-sha-512', 'nobody') } },
      says: /refuses the user or the password: correct KAFKA_SASL_USER or KAFKA_SASL_PASSWORD \(SCRAM-SHA-512\)$/,
    },
    {
      ...{ why: 'another mechanism', at: 'PLAIN', env: { ...TLS, ...as('scram-sha-256') } },
      says: /does not take SCRAM-SHA-256: correct KAFKA_SASL$/,
    },
    {
      ...{ why: 'a user where none is asked for', at: 'TLS', env: { ...TLS, ...as('plain') } },
      says: /asks for no user: turn KAFKA_SASL off, or correct the port in KAFKA_BROKERS$/,
    },
    {
      ...{ why: 'no user where one is asked for', at: 'PLAIN', env: TLS },
      says: /closes the connection at once: does it want what is off here, KAFKA_SASL\?$/,
    },
    {
      ...{ why: 'an unknown authority', at: 'TLS', env: { ...TLS, KAFKA_TLS_CA: stranger.authority } },
      says: /shows a certificate of an unknown authority \(.+\): KAFKA_TLS_CA must be the file of that authority$/,
    },
    {
      ...{ why: 'no authority of our own', at: 'TLS', env: { KAFKA_TLS: 'on' } },
      says: /shows a certificate of an unknown authority \(.+\): KAFKA_TLS_CA must be the file of that authority$/,
    },
    {
      ...{ why: "another host's certificate", at: 'ELSEWHERE', env: TLS },
      says: /shows a certificate of another host \(DNS:elsewhere\.example\): KAFKA_BROKERS and the addresses/,
    },
    {
      ...{ why: 'a certificate out of date', at: 'OLD', env: TLS },
      says: /shows a certificate out of date \(.+\): renew it, and the authority in KAFKA_TLS_CA/,
    },
    {
      ...{ why: 'no certificate of our own', at: 'MUTUAL', env: TLS },
      says: /wants a certificate: set KAFKA_TLS_CERT and KAFKA_TLS_KEY$/,
    },
    {
      ...{ why: 'a certificate of our own that is not trusted', at: 'MUTUAL', env: { ...TLS, ...own(stranger) } },
      says: /refuses the certificate of KAFKA_TLS_CERT \(.+\): it is CN=.+, of CN=.+, valid until \w+/,
    },
    {
      ...{ why: 'TLS at the plain port', at: 'PLAINTEXT', env: TLS },
      says: /does not speak TLS: turn KAFKA_TLS off, or correct the port in KAFKA_BROKERS$/,
    },
    {
      ...{ why: 'no TLS at the port for TLS', at: 'TLS', env: {} },
      says: /closes the connection at once: does it want what is off here, KAFKA_TLS or KAFKA_SASL\?$/,
    },
  ];
  for (const { why, at, env, says } of REFUSED) {
    test(`refused: ${why}`, async () => {
      const broker = addressOf(at);
      const said = await refusal(broker, env);
      assert.match(said, says);
      assert.ok(said.startsWith(`Kafka at ${broker} `), said);
      for (const secret of [PASSWORD, WRONG]) assert.not.ok(said.includes(secret), said);
    });
  }

  test('refused: nobody listens', async () => {
    const said = await refusal(`127.0.0.1:${await freePort()}`, {});
    assert.match(said, /is not reached \(.*ECONNREFUSED.*\): is it running, and KAFKA_BROKERS right\?$/);
  });

  test('files that are not what they should be', async () => {
    const locked = join(folder, 'locked.key');
    await writeFile(locked, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
    const wrong: readonly (readonly [NodeJS.ProcessEnv, RegExp])[] = [
      [{ KAFKA_TLS_CA: join(folder, 'none.crt') }, /^KAFKA_TLS_CA names a file that cannot be read: ENOENT/],
      [{ KAFKA_TLS_CA: here.key }, /^KAFKA_TLS_CA names a file without a certificate as PEM/],
      [{ KAFKA_TLS_CERT: feed.key }, /^KAFKA_TLS_CERT names a file without a certificate as PEM/],
      [{ KAFKA_TLS_KEY: feed.certificate }, /^KAFKA_TLS_KEY names a file without an unencrypted key as PEM/],
      [{ KAFKA_TLS_KEY: locked }, /^KAFKA_TLS_KEY names a file without an unencrypted key as PEM/],
      [{ KAFKA_TLS_KEY: elsewhere.key }, /^KAFKA_TLS_KEY is not the key of the certificate in KAFKA_TLS_CERT$/],
    ];
    for (const [env, sentence] of wrong) {
      const said = await connect(kafka.at('MUTUAL'), { ...TLS, ...own(feed), ...env }).then(
        () => 'nothing is wrong',
        (error: Error) => error.message,
      );
      assert.match(said, sentence);
    }
  });

  test('a file that was replaced is read again for the next connection', async () => {
    const file = join(folder, 'renewed.crt');
    const renewed = { ...TLS, KAFKA_TLS_CA: file };
    await copyFile(stranger.authority, file);
    assert.match(await refusal(kafka.at('TLS'), renewed), /KAFKA_TLS_CA must be the file of that authority/);
    await copyFile(here.authority, file);
    assert.is(await refusal(kafka.at('TLS'), renewed), 'nothing is refused');
  });

  test('with the rights of KAFKA.md it makes its topics and feeds; without them it says which it lacks', async () => {
    const rights = rightsOf(await readFile(PAGE, 'utf8'));
    const shapes = rights.topics.map((name) => ({ name, partitions: 1, compacted: name.includes('cursors') }));
    const narrow = { ...TLS, ...as('plain', 'narrow') };
    const feeds = (id: string) => async (topics: Topics) => {
      await topics.ensure(shapes);
      const writer = await topics.open(id);
      try {
        await topics.filled(rights.topics);
        await writer.write(rights.topics.map((name) => record(name, 'narrow', id)));
        for (const { name, compacted } of shapes) if (compacted) await topics.last(name, 'narrow');
      } finally {
        await writer.close();
      }
    };
    const id = `${rights.prefix}01`;
    assert.match(
      await refusal(kafka.at('PLAIN'), narrow, feeds(id)),
      /^Kafka at \S+ denies what the feed must do \(TOPIC_AUTHORIZATION_FAILED\)$/,
    );
    const admin = new Admin({ clientId: 'access', bootstrapBrokers: [kafka.broker] });
    try {
      await admin.createAcls({ creations: rights.acls });
    } finally {
      await admin.close();
    }
    assert.is(await refusal(kafka.at('PLAIN'), narrow, feeds(id)), 'nothing is refused');
    assert.match(
      await refusal(kafka.at('PLAIN'), narrow, feeds('another-01')),
      /denies what the feed must do \(TRANSACTIONAL_ID_AUTHORIZATION_FAILED\)$/,
    );
  });

  function addressOf(listener: string): string {
    const { broker, at } = kafka as RealKafka;
    return listener === 'PLAINTEXT' ? broker : at(listener);
  }
  test.run();
}

// ---------------------------------------------------------------- machinery

function record(topic: string, key: string, value: string): TopicRecord {
  return { topic, key, value, headers: [], timestampMs: Date.now() };
}

async function certificates(): Promise<Certificates | Skipped> {
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  for (const each of [ours, theirs]) await mkdir(each);
  const [certify, certifyOther] = [await authorityIn(ours), await authorityIn(theirs)];
  if ('skipped' in certify) return certify;
  if ('skipped' in certifyOther) return certifyOther;
  const all: Partial<Record<keyof Certificates, Certificate>> = {};
  for (const [name, certificate] of [
    ['here', () => certify('IP:127.0.0.1')],
    ['elsewhere', () => certify('DNS:elsewhere.example')],
    ['old', () => certify('IP:127.0.0.1', -1)],
    ['feed', () => certify('DNS:feed.example')],
    ['stranger', () => certifyOther('DNS:feed.example')],
  ] as const) {
    const one = await certificate();
    if ('skipped' in one) return one;
    all[name] = one;
  }
  return all as Certificates;
}

/** One broker with a listener for each way. Whoever is not `narrow` may do everything. */
async function secured({ here, elsewhere, old }: Certificates): Promise<RealKafka | Skipped> {
  const tls = async (of: Certificate) => {
    const store = `${of.certificate}.pem`;
    await writeFile(store, `${await readFile(of.key, 'utf8')}${await readFile(of.certificate, 'utf8')}`);
    return ['ssl.keystore.type=PEM', `ssl.keystore.location=${store}`];
  };
  const trusted = ['ssl.truststore.type=PEM', `ssl.truststore.location=${here.authority}`];
  const module = 'org.apache.kafka.common.security';
  const users = ['feed', 'narrow'].map((name) => `user_${name}="${PASSWORD}"`).join(' ');
  const plain = [
    'sasl.enabled.mechanisms=PLAIN',
    `plain.sasl.jaas.config=${module}.plain.PlainLoginModule required ${users};`,
  ];
  const scram = [
    'sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512',
    `scram-sha-256.sasl.jaas.config=${module}.scram.ScramLoginModule required;`,
    `scram-sha-512.sasl.jaas.config=${module}.scram.ScramLoginModule required;`,
  ];
  const listeners: readonly Listener[] = [
    { name: 'TLS', protocol: 'SSL', settings: await tls(here) },
    { name: 'MUTUAL', protocol: 'SSL', settings: [...(await tls(here)), ...trusted, 'ssl.client.auth=required'] },
    { name: 'ELSEWHERE', protocol: 'SSL', settings: await tls(elsewhere) },
    { name: 'OLD', protocol: 'SSL', settings: await tls(old) },
    { name: 'PLAIN', protocol: 'SASL_SSL', settings: [...(await tls(here)), ...plain] },
    { name: 'SCRAM', protocol: 'SASL_SSL', settings: [...(await tls(here)), ...scram] },
  ];
  return realKafka({
    listeners,
    settings: [
      'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users=User:ANONYMOUS;User:feed;User:CN=a server',
    ],
    scram: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) => `${name}=[name=feed,password=${PASSWORD}]`),
  });
}

/** The table of KAFKA.md as rights of the user `narrow`. */
function rightsOf(page: string) {
  const topics: string[] = [];
  let prefix = '';
  const acls = [
    ...page.matchAll(/^ *\| (topic|transactional id, prefixed) \| (.+?) \| ([A-Z][A-Za-z, ]+) \|$/gm),
  ].flatMap(([, kind, resource = '', operations = '']) => {
    const named = [...resource.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    if (kind === 'topic') topics.push(...named);
    else [prefix = ''] = named;
    const resources = named.length > 0 ? named : topics; // "the same four"
    return resources.flatMap((resourceName) =>
      operations.split(', ').map((operation) => ({
        ...{ resourceName, principal: 'User:narrow', host: '*' },
        resourceType: kind === 'topic' ? ResourceTypes.TOPIC : ResourceTypes.TRANSACTIONAL_ID,
        resourcePatternType: kind === 'topic' ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
        operation: AclOperations[operation.toUpperCase() as keyof typeof AclOperations],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    );
  });
  return { topics, prefix, acls };
}
