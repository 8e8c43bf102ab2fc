// The health of this node, part by part. It claims no more than it has checked. Each part is asked with a deadline, and a
// part that does not answer is down. A node that owns no partitions serves nobody, so it is down too.

import type { FeedReport } from '../../actors/ports/feeds.js';
import type { ReplicaStatus } from '../../actors/ports/queries.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { within } from '../../bus/retry.js';
import type { BackupView } from '../../http/backup/backup-routes.js';
import type { HealthReport } from '../../http/node/health.js';
import type { Config } from '../config/config.js';
import { brokerListens } from '../feed/kafka.js';
import type { Servers } from '../servers/servers.js';
import type { Stores } from '../stores.js';

const ASK_MS = 1_000;

export interface Running {
  readonly servers: Servers;
  readonly stores: Stores;
  /** Of this process and its child; empty where another process has the role. */
  readonly feeds: () => readonly FeedReport[];
  /** Undefined where this process does not keep backups. */
  readonly backup: () => Promise<BackupView> | undefined;
  /** Why this node does not serve, as a sentence; undefined: it serves. */
  readonly absence: () => string | undefined;
}

export async function healthReport(
  config: Config,
  version: string,
  clock: Clock,
  running: Running | undefined,
): Promise<HealthReport> {
  if (running === undefined) {
    const journal = { kind: 'unknown', guarantee: 'nothing yet: the node is starting' };
    return { status: 'down', version, journal, dependencies: { node: { status: 'starting' } } };
  }
  const { servers, stores } = running;
  const { client, nats, redis } = stores;
  const replica = replicaIn(stores.replica?.status());
  const [postgres, broker, cache, kafka, backup] = await Promise.all([
    answers(clock, client.query('ask whether Postgres answers', 'select 1', [], ASK_MS)),
    nats === undefined ? ('off' as const) : answers(clock, nats.api('INFO', {}, ASK_MS)),
    redis === undefined ? ('off' as const) : answers(clock, redis.ping()),
    config.kafka === undefined ? ('off' as const) : listens(config.kafka.brokers),
    backupIn(config, await running.backup()),
  ]);
  const isJournalUp = stores.journal.kind === 'postgres' ? postgres === 'up' : broker === 'up';
  const absence = running.absence();
  const all =
    postgres === 'up' &&
    broker !== 'down' &&
    cache !== 'down' &&
    replica.status !== 'down' &&
    kafka !== 'down' &&
    backup.status !== 'down';
  return {
    status: !isJournalUp || absence !== undefined ? 'down' : all ? 'ok' : 'degraded',
    version,
    journal: { kind: stores.journal.kind, guarantee: stores.journal.guarantee },
    dependencies: {
      node: { status: absence === undefined ? 'up' : 'waiting', ...(absence && { why: absence }) },
      postgres: {
        status: postgres,
        source: servers.postgres.source,
        ...(servers.postgres.files !== undefined && { files: servers.postgres.files }),
      },
      nats:
        nats === undefined
          ? { status: 'off' }
          : {
              status: broker,
              source: servers.nats?.source,
              version: nats.version,
              sync_always: servers.nats?.syncAlways ?? 'unknown',
            },
      read_replica: replica,
      redis: { status: cache, ...(redis && { breaker: redis.breaker }) },
      kafka: { status: kafka, ...kafkaFeedsIn(running.feeds()) },
      backup,
    },
  };
}

const answers = (clock: Clock, call: Promise<unknown>): Promise<'up' | 'down'> =>
  within(clock, ASK_MS, call, 'no answer').then(
    () => 'up',
    () => 'down',
  );

const listens = async (brokers: readonly string[]): Promise<'up' | 'down'> =>
  (await brokerListens(brokers, ASK_MS)) ? 'up' : 'down';

function replicaIn(status: ReplicaStatus | undefined) {
  if (status === undefined) return { status: 'off' };
  const { isUsed, lagMs, why } = status;
  return { status: isUsed ? 'up' : 'down', lag_seconds: Math.ceil(lagMs) / 1_000, ...(why !== undefined && { why }) };
}

/** Down: nothing protects what was acknowledged since a few intervals. */
const LATE = 3;

function backupIn({ backup: { everyMs } }: Config, view: BackupView | undefined) {
  if (view === undefined) return { status: 'off' };
  const { role, why, rpo_seconds: ageS, rto_seconds: restoreS, errors, waiting } = view;
  const isLate = ageS === null ? errors.length > 0 : ageS * 1_000 > LATE * everyMs;
  return {
    status: role === 'elsewhere' ? 'elsewhere' : role === 'failing' || isLate ? 'down' : 'up',
    ...(why !== undefined && { why }),
    ...{ rpo_seconds: ageS, rto_seconds: restoreS, waiting: waiting.length, errors },
  };
}

/** How its feeds fare here, if they run here. */
function kafkaFeedsIn(feeds: readonly FeedReport[]) {
  const ours = feeds.filter(({ name }) => name.startsWith('kafka'));
  return ours.length === 0 ? {} : { feeds: ours };
}
