// The parts of one process. Some are there from the first moment; the start makes the others, in the order of their lines.
//
// A part may be made before one that it needs: the edge listens before the stores are open. There is one form for this:
// it is given all parts, and looks when it is asked. Who must have an answer then hears that this node is starting.

import type { Registry } from 'prom-client';
import type { Placement } from '../actors/ports/placement.js';
import type { Queries } from '../actors/ports/queries.js';
import type { Logger } from '../actors/ports/runtime.js';
import { Unavailable } from '../actors/unavailable.js';
import type { GremlinControl } from '../bus/gremlin/gremlin-control.js';
import { Gremlin } from '../bus/gremlin/gremlin-decisions.js';
import type { LiveHub } from '../bus/live/live-hub.js';
import type { OwnershipMap } from '../bus/node/ownership-map.js';
import { STARTING, Supervisor } from '../bus/node/supervisor.js';
import type { FreshLists } from '../bus/reads/fresh-lists.js';
import { ListAge } from '../bus/reads/list-age.js';
import type { ListSources } from '../bus/reads/list-sources.js';
import type { SearchIndexer } from '../bus/reads/search-indexer.js';
import type { StatsFolder } from '../bus/reads/stats-folder.js';
import { systemClock } from '../bus/system-clock.js';
import type { SentTraces } from '../bus/tracing/open-telemetry.js';
import type { Edge } from '../http/edge.js';
import { createRegistry } from '../http/node/edge-metrics.js';
import type { Redis } from '../storage/redis/redis.js';
import type { AmongNodes } from './among-nodes.js';
import type { BackupRole } from './backup/backup-role.js';
import type { Config } from './config/config.js';
import type { Feeds } from './feed/feeds.js';
import type { DemoSeed } from './seed.js';
import type { DataDir } from './servers/data-dir.js';
import type { Servers } from './servers/servers.js';
import type { Stores } from './stores.js';
import type { Running } from './telemetry/health-report.js';
import { OrderCounts } from './telemetry/order-metrics.js';

export class Parts {
  readonly clock = systemClock();
  readonly registry: Registry = createRegistry();
  readonly orders = new OrderCounts();
  readonly listAge = new ListAge(this.clock);
  readonly supervisor: Supervisor;
  readonly gremlin: Gremlin;
  readonly calledOff = new AbortController();

  dataDir: DataDir | undefined;
  /** Undefined: nothing is traced. */
  tracing: SentTraces | undefined;
  /** Counts requests for the rate limit. The edge has its own connection, because it listens before the stores are open. */
  counts: Redis | undefined;
  edge: Edge | undefined;
  servers: Servers | undefined;
  stores: Stores | undefined;
  gremlinControl: GremlinControl | undefined;
  seed: DemoSeed | undefined;
  ownership: OwnershipMap | undefined;
  /** Undefined without NATS. */
  among: AmongNodes | undefined;
  freshLists: FreshLists | undefined;
  /** Undefined without NATS. */
  live: LiveHub | undefined;
  queries: Queries | undefined;
  lists: ListSources | undefined;
  placement: Placement | undefined;
  running: Running | undefined;
  indexer: SearchIndexer | undefined;
  feeds: Feeds | undefined;
  backup: BackupRole | undefined;
  folder: StatsFolder | undefined;

  constructor(
    readonly config: Config,
    readonly logger: Logger,
  ) {
    this.supervisor = new Supervisor(this.clock, logger);
    this.gremlin = new Gremlin(this.clock, (target) => {
      logger.warn({ target }, 'the gremlin kills this process');
      process.kill(process.pid, 'SIGKILL');
    });
  }

  /** Whether this process owns partitions. */
  get hasActors(): boolean {
    return this.config.roles.has('actors');
  }

  get isEdge(): boolean {
    return this.config.roles.has('edge');
  }
}

/** A part that has been made. @throws Unavailable before that */
export function made<T>(part: T | undefined): T {
  if (part === undefined) throw new Unavailable(STARTING, true);
  return part;
}

/** A port whose part is made later: until then each call rejects with Unavailable. Every method of the port is asynchronous. */
export function later<Port extends Asynchronous<Port>>(part: () => Port | undefined): Port {
  const call =
    (name: string | symbol) =>
    async (...given: unknown[]) => {
      const port = made(part());
      return Reflect.apply(Reflect.get(port, name), port, given);
    };
  return new Proxy(Object.create(null), { get: (_, name) => call(name) });
}

type Asynchronous<Port> = { readonly [Name in keyof Port]: (...given: never[]) => Promise<unknown> };
