/**
 * The one place that knows the Kafka driver. Each trap of @platformatic/kafka 1.35 is named where it is avoided.
 *
 *  K1. A producer that met any error is thrown away: after an abort it would lose records silently. So is one whose commit
 *      had to be repeated: the first request may still be on its way, and would commit half of the next transaction.
 *  K2. One send at a time, and each below CHUNK_BYTES.
 *  K3. The producer's id and epoch begin at -1. The driver's default of 0 is taken for those of another producer.
 *  K4. The driver's own consumer delivers aborted records. So batches are read raw, and commit markers judge them.
 */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Admin,
  addPartitionsToTxnV3,
  type Base,
  Consumer,
  compatibilityPartitioner,
  FetchIsolationLevels,
  kGetApi,
  kPerformWithRetry,
  ListOffsetTimestamps,
  Producer,
  type RecordsBatch,
  type SASLOptions,
} from '@platformatic/kafka';
import { CommittedValues } from './committed-values.js';
import type { KafkaAccess } from './kafka-access.js';
import { explained, hasKafkaError, isBusy, isRefusal, type KnownOfKafka } from './kafka-errors.js';
import type { TopicRecord, TopicShape, Topics, TopicWriter } from './topics.js';

const CONNECT_MS = 3_000;
const REQUEST_MS = 10_000;
/** The brokers end a transaction that is open for so long, as its producer is gone. */
const TRANSACTION_MS = 15_000;
/** Longer than a transaction may be open. */
const WRITE_MS = 20_000;
const OPEN_MS = 30_000;
const PING_MS = 2_000;
const CLOSE_MS = 2_000;
const RETRY_MS = 10;
const RETRIES = 10;
const BUSY_RETRY_MS = 200;
/** More than fit into any deadline here. */
const BUSY_RETRIES = 500;
const CHUNK_BYTES = 450_000;
const FETCH_BYTES = 4_194_304;
const FETCH_WAIT_MS = 500;
/** The driver caches what it knows of the cluster. */
const METADATA_MS = 5_000;

export function kafkaTopics(access: KafkaAccess): Topics {
  return new KafkaTopics(access);
}

type BinaryProducer = Producer<Buffer, Buffer, Buffer, Buffer>;
type Transaction = Awaited<ReturnType<BinaryProducer['beginTransaction']>>;

/** AddPartitionsToTxn from version 4 on is for brokers among themselves, and wants their rights. */
class TransactionalProducer extends Producer<Buffer, Buffer, Buffer, Buffer> {
  /** A commit was sent more than once (kafka-topics.K1). */
  isDoubtful = false;

  override [kGetApi]: Producer[typeof kGetApi] = (name, callback) => {
    if (name === 'AddPartitionsToTxn') callback(null, addPartitionsToTxnV3.api as never);
    else super[kGetApi](name, callback);
  };

  /** Only brokers that are busy are asked more often than RETRIES times. */
  override [kPerformWithRetry]: Producer[typeof kPerformWithRetry] = (
    id,
    operation,
    callback,
    attempt = 0,
    errors,
    skip,
  ) => {
    let others = 0;
    const skips = (error: Error) => skip?.(error) === true || (!isBusy(error) && ++others > RETRIES);
    return super[kPerformWithRetry](id, operation, callback, attempt, errors, attempt === 0 ? skips : skip);
  };
}

class KafkaTopics implements Topics {
  private readonly admin: Admin;
  private readonly consumer: Consumer;
  private known: KnownOfKafka = { hasAnswered: false, broken: undefined };

  constructor(private readonly access: KafkaAccess) {
    this.admin = this.watched(new Admin(baseOptions(access)));
    // It joins no group: it only fetches.
    this.consumer = this.watched(new Consumer({ ...baseOptions(access), groupId: `${access.clientId}-reads` }));
  }

  async ensure(shapes: readonly TopicShape[]): Promise<readonly string[]> {
    const there = new Set(await this.answer(this.admin.listTopics()));
    const made: string[] = [];
    for (const { name, partitions, compacted } of shapes) {
      if (there.has(name)) continue;
      const { replication } = this.access;
      const configs = compacted ? COMPACTED.map(([config, value]) => ({ name: config, value })) : [];
      const wanted = {
        topics: [name],
        partitions,
        configs,
        ...(replication !== undefined && { replicas: replication }),
      };
      try {
        await this.answer(this.admin.createTopics(wanted));
        made.push(name);
      } catch (error) {
        if (!hasKafkaError(error, 'TOPIC_ALREADY_EXISTS')) throw error;
      }
    }
    return made;
  }

  async filled(names: readonly string[]): Promise<ReadonlySet<string>> {
    const there = new Set(await this.answer(this.admin.listTopics()));
    const filled = new Set<string>();
    for (const name of names) {
      if (there.has(name) && (await this.ends(name)).some((end) => end > 0n)) filled.add(name);
    }
    return filled;
  }

  /** Reads back from the end, in longer and longer spans. */
  async last(topic: string, key: string): Promise<string | undefined> {
    const [start = 0n] = await this.offsets(topic, ListOffsetTimestamps.EARLIEST);
    const [end = 0n] = await this.ends(topic);
    for (let span = 500n; ; span *= 8n) {
      const from = end - span > start ? end - span : start;
      const found = new CommittedValues(key);
      for (let at = from; at < end; ) {
        const batches = await this.fetch(topic, at);
        for (const batch of batches) found.take(batch);
        const last = batches.at(-1);
        if (last === undefined)
          throw new Error(`Kafka shows nothing of ${topic} from ${at} on, though it ends at ${end}`);
        at = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
      }
      if (from === start || found.isCertain) return found.value;
    }
  }

  async open(name: string): Promise<TopicWriter> {
    const producer = new TransactionalProducer({
      ...baseOptions(this.access),
      transactionalId: name,
      idempotent: true,
      producerId: -1n,
      producerEpoch: -1,
      partitioner: compatibilityPartitioner,
      compression: 'lz4',
      retries: BUSY_RETRIES,
      retryDelay: (client, operation, attempt, _retries, error) => {
        if (operation === 'endTransaction' && !isRefusal(error)) (client as TransactionalProducer).isDoubtful = true;
        return isBusy(error) ? Math.min(BUSY_RETRY_MS, RETRY_MS * attempt) : RETRY_MS;
      },
    });
    this.watched(producer);
    try {
      const first = await this.answer(producer.beginTransaction(), OPEN_MS);
      return new KafkaWriter(producer, first, name, (call) => this.answer(call, WRITE_MS));
    } catch (error) {
      await closed(producer);
      throw error;
    }
  }

  async ping(): Promise<void> {
    await this.answer(this.admin.metadata({ topics: [], forceUpdate: true }), PING_MS);
  }

  async close(): Promise<void> {
    await Promise.all([closed(this.admin), closed(this.consumer)]);
  }

  // -------------------------------------------------------------- machinery

  private watched<T extends Base>(client: T): T {
    client.on('client:broker:connect', ({ connection }) => {
      connection.on('error', (error: Error) => {
        this.known = { ...this.known, broken: error.cause };
      });
    });
    return client;
  }

  private ends(topic: string): Promise<readonly bigint[]> {
    return this.offsets(topic, ListOffsetTimestamps.LATEST);
  }

  private async offsets(topic: string, timestamp: bigint): Promise<readonly bigint[]> {
    const isolationLevel = FetchIsolationLevels.READ_UNCOMMITTED;
    const all = await this.answer(this.consumer.listOffsets({ topics: [topic], timestamp, isolationLevel }));
    return all.get(topic) ?? [];
  }

  private async fetch(topic: string, fetchOffset: bigint): Promise<readonly RecordsBatch[]> {
    const metadata = await this.answer(this.consumer.metadata({ topics: [topic] }));
    const { id: topicId = '', partitions = [] } = metadata.topics.get(topic) ?? {};
    const partition = {
      ...{ partition: 0, fetchOffset, partitionMaxBytes: FETCH_BYTES },
      ...{ currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
    };
    const response = await this.answer(
      this.consumer.fetch({
        node: partitions[0]?.leader ?? 0,
        topics: [{ topicId, partitions: [partition] }],
        isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
        maxWaitTime: FETCH_WAIT_MS,
        minBytes: 1,
        maxBytes: FETCH_BYTES,
      }),
    );
    return response.responses[0]?.partitions[0]?.records ?? [];
  }

  private async answer<T>(call: Promise<T>, deadlineMs = WRITE_MS): Promise<T> {
    const over = new AbortController();
    const late = sleep(deadlineMs, undefined, { signal: over.signal, ref: false }).then(
      () => Promise.reject(new Error(`no answer within ${deadlineMs / 1000} s`)),
      () => new Promise<never>(() => {}),
    );
    try {
      const answer = await Promise.race([call, late]);
      this.known = { hasAnswered: true, broken: undefined };
      return answer;
    } catch (error) {
      throw explained(error, this.access, this.known);
    } finally {
      over.abort();
    }
  }
}

class KafkaWriter implements TopicWriter {
  private isDead = false;

  constructor(
    private readonly producer: TransactionalProducer,
    private begun: Transaction | undefined,
    private readonly name: string,
    private readonly answer: <T>(call: Promise<T>) => Promise<T>,
  ) {}

  async write(records: readonly TopicRecord[]): Promise<void> {
    if (this.isDead) throw new Error(`the writer ${this.name} met an error before, and writes nothing any more`);
    try {
      await this.answer(this.transaction(records));
    } catch (error) {
      this.isDead = true;
      throw error;
    }
    this.isDead = this.producer.isDoubtful;
  }

  close(): Promise<void> {
    this.isDead = true;
    return closed(this.producer);
  }

  private async transaction(records: readonly TopicRecord[]): Promise<void> {
    const transaction = this.begun ?? (await this.producer.beginTransaction());
    this.begun = undefined;
    for (const chunk of chunks(records)) {
      if (this.isDead) throw new Error('given up'); // The deadline has passed.
      await transaction.send({ messages: chunk.map(message) });
    }
    if (this.isDead) throw new Error('given up');
    await transaction.commit();
  }
}

// ---------------------------------------------------------------- machinery

const COMPACTED = [
  ['cleanup.policy', 'compact'],
  // Small segments that close often, so that the past is cleaned away soon.
  ['segment.ms', '3600000'],
  ['segment.bytes', '16777216'],
  ['min.cleanable.dirty.ratio', '0.1'],
] as const;

/** Brokers behind one address need the name (SNI). An IP address is no name. */
const isName = (broker: string): boolean => isIP(broker.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) === 0;

function baseOptions({ brokers, clientId, tls, sasl }: KafkaAccess) {
  const access: { tls?: object; tlsServerName?: boolean; sasl?: SASLOptions } = {
    ...(tls !== undefined && { tls: { ...tls }, tlsServerName: brokers.some(isName) }),
    ...(sasl !== undefined && {
      sasl: { mechanism: sasl.mechanism, username: sasl.user, password: sasl.password },
    }),
  };
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    /** The driver takes it for the transaction's timeout too. */
    timeout: TRANSACTION_MS,
    metadataMaxAge: METADATA_MS,
    retries: 2,
    retryDelay: 100,
    ...access,
  };
}

function* chunks(records: readonly TopicRecord[]): Generator<readonly TopicRecord[]> {
  let chunk: TopicRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = 3 * record.value.length > CHUNK_BYTES ? Buffer.byteLength(record.value) : record.value.length;
    if (chunk.length > 0 && bytes + size > CHUNK_BYTES) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size + OVERHEAD_BYTES;
  }
  if (chunk.length > 0) yield chunk;
}

/** Key and headers of a record, about. */
const OVERHEAD_BYTES = 400;

/** Of the names of headers, which are few. */
const names = new Map<string, Buffer>();

function nameOf(header: string): Buffer {
  let name = names.get(header);
  if (name === undefined) {
    name = Buffer.from(header);
    if (names.size < 100) names.set(header, name);
  }
  return name;
}

function message({ topic, key, value, headers, timestampMs }: TopicRecord) {
  return {
    topic,
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: new Map(headers.map(([name, text]) => [nameOf(name), Buffer.from(text)])),
    timestamp: BigInt(Math.trunc(timestampMs)),
  };
}

/** A client that cannot close cleanly is left to its sockets' end. */
async function closed(client: { close(): Promise<void> }): Promise<void> {
  await Promise.race([client.close().catch(() => {}), sleep(CLOSE_MS, undefined, { ref: false })]);
}
