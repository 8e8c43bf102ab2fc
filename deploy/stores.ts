// Opens the stores: Postgres with its tables, the broker with its streams, and the journal in one of the two, as the
// first start settled it.

import { limits } from '../actors/limits.js';
import type { ApiKeys } from '../actors/ports/api-keys.js';
import type { Cache } from '../actors/ports/cache.js';
import type { EventLog } from '../actors/ports/events.js';
import type { Log } from '../actors/ports/log.js';
import type { StatsFold } from '../actors/ports/numbers.js';
import type { Payments } from '../actors/ports/payments.js';
import type { Queries, SearchIndex } from '../actors/ports/queries.js';
import type { ReceiptKeys } from '../actors/ports/receipt-keys.js';
import type { Clock, Logger } from '../actors/ports/runtime.js';
import type { Settlement } from '../actors/ports/settlement.js';
import type { Snapshots } from '../actors/ports/snapshots.js';
import type { Webhooks } from '../actors/ports/webhooks.js';
import { jetstreamEvents } from '../bus/events/jetstream-events.js';
import { jetstreamLog, journalReplicas } from '../bus/journal/jetstream-log.js';
import type { LookBy } from '../bus/journal/journal-look.js';
import { tryCompareAndSet } from '../bus/journal/self-test.js';
import { brokerGuarantee, chooseJournal, type JournalChoice, oldest } from '../bus/nats/broker-guarantee.js';
import { connectNats, type Nats } from '../bus/nats/nats.js';
import { TrimConnection } from '../bus/nats/trim-connection.js';
import { httpPayments } from '../bus/payments/http-provider.js';
import { forgetfulPayments, instantPayments, mockPayments } from '../bus/payments/mock-provider.js';
import type { Replica } from '../bus/reads/list-sources.js';
import { archivedOrders } from '../storage/archive/archive-reader.js';
import { postgresStatsFold } from '../storage/lists/order-stats-fold.js';
import { postgresQueries } from '../storage/lists/queries.js';
import { postgresSearchIndex } from '../storage/lists/search-index.js';
import { memoryCache } from '../storage/memory/memory-cache.js';
import { migrate } from '../storage/postgres/migrate.js';
import { connectPostgres, maySkipKeyChecks, type PostgresClient } from '../storage/postgres/postgres.js';
import { postgresApiKeys } from '../storage/postgres/postgres-api-keys.js';
import { postgresLog } from '../storage/postgres/postgres-log.js';
import { postgresPaymentLedger } from '../storage/postgres/postgres-payment-ledger.js';
import { postgresReceiptKeys } from '../storage/postgres/postgres-receipt-keys.js';
import { postgresSettlements } from '../storage/postgres/postgres-settlement.js';
import { postgresWebhooks } from '../storage/postgres/postgres-webhooks.js';
import { LOOK_MS, readReplica } from '../storage/postgres/read-replica.js';
import { connectRedis, type Redis } from '../storage/redis/redis.js';
import { redisCache } from '../storage/redis/redis-cache.js';
import { postgresSnapshots } from '../storage/snapshots/snapshots.js';
import type { Config } from './config/config.js';
import type { Servers } from './servers/servers.js';
import { settle } from './settle.js';
import { silentLogger } from './telemetry/silent-logger.js';
import { tellEvents } from './telemetry/start-lines.js';
import { explained } from './which-variable.js';

/** Kept free in a broker's message for the subject and headers. */
const ENVELOPE_BYTES = 4_096;
const LOG_POOL = 3;
const FLUSH_POOL = 4;
const LISTS = { max: 4, statementMs: limits.listMs, waitMs: limits.statementMs, planAnew: true };

export interface Stores {
  readonly client: PostgresClient;
  readonly nats: Nats | undefined;
  readonly log: Log;
  readonly lookBy: LookBy;
  readonly events: EventLog | undefined;
  /** Makes EVENTS if somebody deleted it; whether it is another stream than before. */
  readonly isNewStream: (() => Promise<boolean>) | undefined;
  readonly eventsMayForget: boolean;
  readonly snapshots: Snapshots;
  readonly queries: Queries;
  /** Undefined without DATABASE_READ_URL. */
  readonly replica: Replica | undefined;
  readonly searchIndex: SearchIndex;
  readonly statsFold: StatsFold;
  readonly payments: Payments;
  /** Set if the provider is a pure function of the order. */
  readonly instantPayment: ReturnType<typeof instantPayments> | undefined;
  readonly keys: ApiKeys;
  readonly receiptKeys: ReceiptKeys;
  readonly webhooks: Webhooks;
  /** Undefined without REDIS_URL: then the cache is in this process. */
  readonly redis: Redis | undefined;
  readonly cache: Cache;
  readonly settlement: Settlement;
  readonly journal: Pick<JournalChoice, 'kind' | 'guarantee'>;
  readonly recordBytes: number;
  close(): Promise<void>;
}

export async function openStores(config: Config, servers: Servers, clock: Clock, logger: Logger): Promise<Stores> {
  const { postgres, nats: broker } = servers;
  await upToDate(postgres, logger);
  const client = connectPostgres(postgres.url, { max: config.databasePool, log: logger });
  let nats: Nats | undefined;
  try {
    if (broker !== undefined) {
      const name = `${config.serviceName} ${config.nodeName}`;
      nats = await explained(
        connectNats(broker.url, { name, log: logger }),
        broker.ours ? undefined : broker.url,
        'NATS_URL',
      );
    }
    return await withStreams(config, servers, client, nats, clock, logger);
  } catch (error) {
    await nats?.close();
    await client.end();
    throw error;
  }
}

/** The owner changes the tables; whoever works with them sees that they are of this version. */
export async function upToDate(
  { url, migrationsUrl, ours }: Pick<Servers['postgres'], 'url' | 'migrationsUrl' | 'ours'>,
  logger: Logger,
): Promise<readonly string[]> {
  const migrated = (by: string, variable: string) => explained(migrate(by, logger), ours ? undefined : by, variable);
  const ran = migrationsUrl === url ? [] : await migrated(migrationsUrl, 'MIGRATIONS_DATABASE_URL');
  const all = [...ran, ...(await migrated(url, 'DATABASE_URL'))];
  if (all.length > 0) logger.info({ migrations: all }, 'the tables are up to date');
  return all;
}

async function withStreams(
  config: Config,
  servers: Servers,
  client: PostgresClient,
  nats: Nats | undefined,
  clock: Clock,
  logger: Logger,
): Promise<Stores> {
  const broker = servers.nats;
  const replicas = config.natsReplicas;
  const facts = nats && {
    version: oldest([nats.version, broker?.version ?? nats.version]),
    syncAlways: broker?.syncAlways,
    replicas: (await journalReplicas(nats)) ?? replicas,
    ours: broker?.ours ?? false,
  };
  // Chosen first: a journal that the broker cannot give is refused before anything is settled or created.
  const choice = chooseJournal(config.journal, facts);
  const purger = purgerOf(config, broker);
  const brokerLog = nats && (await jetstreamLog(nats, { replicas, ...(purger && { purger }) }));
  // Whoever owns nothing writes no journal, and its account on the broker may not.
  if (brokerLog !== undefined && config.roles.has('actors')) await tryCompareAndSet(brokerLog, clock, logger);
  const retention = { bytes: config.eventsBytes, ageMs: config.eventsAgeMs };
  const events = nats && (await jetstreamEvents(nats, { replicas, ...retention }));
  if (events !== undefined) tellEvents(config, events.retention, logger);
  const settlement = await settle(
    config,
    () => clock.id(),
    () => choice.kind,
    postgresSettlements(client),
    brokerLog,
    async () => (await postgresSnapshots(client).journals()).length > 0,
  );
  const flushClient = connectPostgres(servers.postgres.url, {
    max: FLUSH_POOL,
    log: logger,
    // Whoever owns nothing flushes nothing, and its role may not even ask.
    keysHold: config.roles.has('actors') && (await maySkipKeyChecks(client)),
  });
  // By the connections of reads: what waits for an archive must not wait for a flush.
  const archives = archivedOrders(client, config.archive.s3Endpoint);
  const snapshots = postgresSnapshots(flushClient, archives);
  const journal = journalToday(settlement.journal, choice, facts);
  logger.info({ system: settlement.id, partitions: settlement.partitions }, `journal: ${journal.guarantee}`);
  // The journal has its own connections: an append must not wait behind a flush.
  const logClient =
    settlement.journal === 'postgres'
      ? connectPostgres(servers.postgres.url, { max: LOG_POOL, log: logger })
      : undefined;
  const log = logClient === undefined && brokerLog ? brokerLog : postgresLog(logClient ?? client);
  const redis = config.redisUrl === undefined ? undefined : connectRedis(config.redisUrl, logger, 'REDIS_URL');
  // Lists have their own connections too: many long lists wait for one another, and a read by id does not wait for them.
  const listClient = connectPostgres(servers.postgres.url, { ...LISTS, log: logger });
  const system = settlement.id;
  const readUrl = config.roles.has('edge') ? config.readUrl : undefined; // Who serves no lists reads none.
  const replica = readUrl && openReplica(readUrl, config, client, listClient, system, clock, logger);
  return {
    client,
    nats,
    log,
    lookBy: log === brokerLog && brokerLog.replicas > 1 ? 'append' : 'end',
    events,
    isNewStream: events?.isNewStream,
    eventsMayForget: events?.acknowledgesBeforeWriting === true || broker?.syncAlways !== true,
    snapshots,
    queries: postgresQueries(client, listClient, limits.exactCount, archives),
    replica: replica || undefined,
    searchIndex: postgresSearchIndex(client),
    statsFold: postgresStatsFold(client),
    ...paymentsOf(config, client, clock),
    keys: postgresApiKeys(client),
    receiptKeys: postgresReceiptKeys(client),
    webhooks: postgresWebhooks(client),
    redis,
    cache: redis === undefined ? memoryCache(clock) : redisCache(redis),
    settlement,
    journal,
    recordBytes: Math.min(limits.recordBytes, (nats?.maxPayload ?? Number.POSITIVE_INFINITY) - ENVELOPE_BYTES),
    async close() {
      redis?.end();
      // All at once: each may have to wait for a server that does not answer.
      const lists = [listClient.end(), replica ? replica.end() : undefined];
      await Promise.all([nats?.close(), purger?.close(), logClient?.end(), flushClient.end(), ...lists, client.end()]);
    },
  };
}

/** The same lists, from the replica where it is nearly up to date. */
function openReplica(
  url: string,
  { readLagMs: maxLagMs }: Config,
  primary: PostgresClient,
  lists: PostgresClient,
  system: string,
  clock: Clock,
  logger: Logger,
): Replica & { end(): Promise<unknown> } {
  const replica = connectPostgres(url, { ...LISTS, log: logger });
  const looks = connectPostgres(url, { max: 1, statementMs: LOOK_MS });
  const watched = readReplica({ replica, looks, primary, lists, system, maxLagMs, clock, logger });
  return {
    ...watched,
    queries: postgresQueries(primary, watched.client),
    maxLagMs,
    end() {
      watched.stop();
      return Promise.all([replica.end(), looks.end()]);
    },
  };
}

/** Whoever owns partitions trims, by an account that may do nothing else. */
function purgerOf({ roles, serviceName, nodeName }: Config, broker: Servers['nats']): TrimConnection | undefined {
  const url = broker?.trimUrl;
  if (broker === undefined || url === undefined || !roles.has('actors')) return undefined;
  const name = `${serviceName} ${nodeName}: trims`;
  const log = silentLogger; // A trim that fails says why.
  const given = broker.ours ? undefined : url;
  return new TrimConnection(() => explained(connectNats(url, { name, log }), given, 'NATS_TRIM_URL'));
}

function paymentsOf(config: Config, client: PostgresClient, clock: Clock): Pick<Stores, 'payments' | 'instantPayment'> {
  const { paymentUrl: url, paymentKey: key, paymentTimeoutMs: timeoutMs } = config;
  const { paymentSuccessRate: successRate, paymentLatencyMs: latencyMs } = config;
  if (url !== undefined) return { payments: httpPayments({ url, key, timeoutMs }), instantPayment: undefined };
  if (latencyMs === 0) {
    return { payments: forgetfulPayments(successRate), instantPayment: instantPayments(successRate) };
  }
  const ledger = postgresPaymentLedger(client);
  return { payments: mockPayments({ successRate, latencyMs, clock, ledger }), instantPayment: undefined };
}

/** The guarantee of the settled journal with today's broker, which may be weaker than at the first start. */
function journalToday(
  settled: 'jetstream' | 'postgres',
  choice: JournalChoice,
  facts: Parameters<typeof brokerGuarantee>[0] | undefined,
): Pick<JournalChoice, 'kind' | 'guarantee'> {
  if (settled === choice.kind || facts === undefined) return choice;
  return settled === 'jetstream'
    ? { kind: settled, guarantee: brokerGuarantee(facts).guarantee }
    : chooseJournal('postgres', facts);
}
