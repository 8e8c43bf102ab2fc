// The feeds of a system: which there are, and where they run. They read EVENTS, so without NATS there are none.
// With it there is always one: a webhook may be made at any time.

import { Registry } from 'prom-client';
import type { Feed, FeedReport } from '../../actors/ports/feeds.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { feedStream } from '../../bus/feed-stream/feed-filler.js';
import { postgresLeases } from '../../storage/postgres/postgres-leases.js';
import type { Config } from '../config/config.js';
import type { Parts } from '../parts.js';
import type { DataDir } from '../servers/data-dir.js';
import type { Servers } from '../servers/servers.js';
import type { Stores } from '../stores.js';
import { watchFeeds } from '../telemetry/feed-metrics.js';
import { tellKafka } from '../telemetry/start-lines.js';
import { webhookMeter } from '../telemetry/webhook-metrics.js';
import { webhooksOf } from '../webhooks.js';
import { FeedChild, reportToParent } from './feed-child.js';
import { FeedRunner } from './feed-runner.js';
import { kafkaFeedsOf } from './kafka.js';
import { RetentionWatch } from './retention-watch.js';

const METRICS_MS = 1_000;

/** The feeds of this process, or of its child. */
export interface Feeds {
  readonly report: readonly FeedReport[];
  /** What the feeds count, in Prometheus' text; at most a second old. */
  readonly metrics: string;
  start(): void;
  stop(): Promise<void>;
}

/** Where the feeds run: in a process that does nothing else, or in its child. Undefined: another process has them. */
export function beginFeeds(
  { config, clock, logger, registry, tracing }: Parts,
  { path: dataDir }: DataDir,
  { nats, postgres }: Servers,
  stores: Stores,
  onOrphaned: () => void,
): Feeds | undefined {
  tellKafka(config, nats !== undefined, logger);
  if (!config.roles.has('feed') || nats === undefined) return undefined;
  const isAlone = config.roles.size === 1;
  const urls = { postgresUrl: postgres.url, natsUrl: nats.feedUrl };
  const feeds = isAlone
    ? new OwnFeeds({ config, stores, tracing, clock, logger }, onOrphaned)
    : new FeedChild({ dataDir, nodeName: config.nodeName, ...urls, clock, logger });
  watchFeeds(registry, () => feeds.report);
  feeds.start();
  return feeds;
}

interface FeedsParts {
  readonly config: Config;
  readonly stores: Stores;
  readonly tracing: Parts['tracing'];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The feeds in this process. If it is a child, it reports to its parent, and ends with it. */
class OwnFeeds implements Feeds {
  metrics = '';
  private readonly runner: FeedRunner;
  private readonly retention: RetentionWatch | undefined;
  private readonly registry = new Registry();
  private endReports = () => {};

  constructor(
    parts: FeedsParts,
    private readonly onOrphaned: () => void,
  ) {
    const { stores, clock, logger } = parts;
    const { nats, client } = stores;
    const feeds = feedsOf(parts, this.registry);
    this.retention = nats && new RetentionWatch({ nats, feeds, clock, logger });
    const retentionUsed = (feed: Feed) => this.retention?.used(feed) ?? 0;
    this.runner = new FeedRunner({ feeds, leases: postgresLeases(client, clock), retentionUsed, clock, logger });
  }

  get report(): readonly FeedReport[] {
    return this.runner.report;
  }

  start(): void {
    this.runner.start();
    this.retention?.start();
    const timer = setInterval(async () => {
      this.metrics = await this.registry.metrics();
    }, METRICS_MS);
    const endReports = reportToParent(() => ({ report: this.report, metrics: this.metrics }), this.onOrphaned);
    this.endReports = () => {
      clearInterval(timer);
      endReports();
    };
  }

  async stop(): Promise<void> {
    this.endReports();
    this.retention?.stop();
    await this.runner.stop();
  }
}

// ---------------------------------------------------------------- machinery

function feedsOf({ config, stores, tracing, clock, logger }: FeedsParts, registry: Registry): readonly Feed[] {
  const { nats, client } = stores;
  if (nats === undefined) return [];
  const { feed: kinds, feedBytes: bytes, feedAgeMs: ageMs, natsReplicas: replicas } = config;
  return [
    ...kafkaFeedsOf(config, { ...stores, nats }, { tracing, clock, logger }),
    ...(kinds === 'off' ? [] : [feedStream({ nats, kinds, replicas, bytes, ageMs, clock, logger })]),
    webhooksOf({ config, client, nats, meter: webhookMeter(registry), tracing, clock, logger }),
  ];
}
