// Kafka as the configuration has it. The driver takes 45 MB, so it is loaded only where something talks to Kafka.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Feed } from '../../actors/ports/feeds.js';
import { natsEventSource } from '../../bus/kafka/event-source.js';
import type { KafkaAccess } from '../../bus/kafka/kafka-access.js';
import { kafkaFeeds, topicNames } from '../../bus/kafka/kafka-feeds.js';
import type { Topics } from '../../bus/kafka/topics.js';
import type { Nats } from '../../bus/nats/nats.js';
import { tracedTopics } from '../../bus/tracing/traced-ports.js';
import type { Config } from '../config/config.js';
import type { Parts } from '../parts.js';
import type { Stores } from '../stores.js';

type KafkaStores = Pick<Stores, 'snapshots' | 'settlement'> & { readonly nats: Nats };

/** @returns none without KAFKA_BROKERS */
export function kafkaFeedsOf(
  config: Config,
  stores: KafkaStores,
  { tracing, clock, logger }: Pick<Parts, 'tracing' | 'clock' | 'logger'>,
): readonly Feed[] {
  if (config.kafka === undefined) return [];
  const topics = async () => {
    const connected = await connectKafka(config);
    return tracing === undefined ? connected : tracedTopics(connected, tracing, clock);
  };
  return kafkaFeeds({
    topics,
    source: natsEventSource(stores.nats, clock, logger),
    snapshots: stores.snapshots,
    names: topicNames(config.kafka.prefix),
    partitions: config.kafka.partitions,
    system: stores.settlement.id,
    clock,
    logger,
  });
}

/** @throws a sentence that names the variable, where a file cannot be read, or has not what it should */
export async function connectKafka({ kafka, serviceName }: Config): Promise<Topics> {
  if (kafka === undefined) throw new Error('Kafka is not used: set KAFKA_BROKERS');
  const { brokers, tls, sasl, replication } = kafka;
  const texts = tls && (await readTls(tls));
  const clientId = serviceName.replace(/[^A-Za-z0-9._-]/g, '-');
  const { kafkaTopics } = await import('../../bus/kafka/kafka-topics.js');
  return kafkaTopics({ brokers, clientId, tls: texts, sasl, replication });
}

/** Whether a broker accepts connections. It says nothing of TLS, user or rights: the feed tells of those. */
export async function brokerListens(brokers: readonly string[], withinMs: number): Promise<boolean> {
  const tries = brokers.map(
    (broker) =>
      new Promise<void>((resolve, reject) => {
        const [, host = '', port] = /^\[?(.+?)\]?:(\d+)$/.exec(broker) ?? [];
        const socket = connect({ host, port: Number(port), timeout: withinMs });
        const end = (settle: () => void) => () => {
          socket.destroy();
          settle();
        };
        socket.once('connect', end(resolve));
        for (const event of ['error', 'timeout'])
          socket.once(
            event,
            end(() => reject(new Error(event))),
          );
      }),
  );
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}

async function readTls(
  files: NonNullable<NonNullable<Config['kafka']>['tls']>,
): Promise<NonNullable<KafkaAccess['tls']>> {
  const ca = await textOf('KAFKA_TLS_CA', files.ca);
  const cert = await textOf('KAFKA_TLS_CERT', files.cert);
  const key = await textOf('KAFKA_TLS_KEY', files.key);
  const inFile = <T>(variable: string, what: string, text: string | undefined, read: (text: string) => T) => {
    try {
      return text === undefined ? undefined : read(text);
    } catch (error) {
      throw new Error(`${variable} names a file without ${what} as PEM: ${(error as Error).message}`);
    }
  };
  inFile('KAFKA_TLS_CA', 'a certificate', ca, (text) => new X509Certificate(text));
  const certified = inFile('KAFKA_TLS_CERT', 'a certificate', cert, (text) => new X509Certificate(text));
  const own = inFile('KAFKA_TLS_KEY', 'an unencrypted key', key, createPrivateKey);
  if (own !== undefined && certified?.checkPrivateKey(own) === false) {
    throw new Error('KAFKA_TLS_KEY is not the key of the certificate in KAFKA_TLS_CERT');
  }
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

async function textOf(variable: string, path: string | undefined): Promise<string | undefined> {
  try {
    return path === undefined ? undefined : await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`${variable} names a file that cannot be read: ${(error as Error).message}`);
  }
}
