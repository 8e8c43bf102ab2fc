// The metrics of what this process is, and of what it needs: its build, its servers, the broker's streams, the gremlin.

import { Gauge, type Registry } from 'prom-client';
import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import { JOURNAL_STREAM } from '../../bus/journal/jetstream-log.js';
import type { Nats, StreamInfo } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import type { HealthReport } from '../../http/node/health.js';
import { onceAScrape } from './once-a-scrape.js';

const STREAMS = [JOURNAL_STREAM, EVENTS_STREAM];
const ASK_MS = 1_000;

interface Build {
  readonly version: string;
  readonly nodeName: string;
  readonly roles: ReadonlySet<string>;
}

export function watchBuild(registry: Registry, { version, nodeName: node, roles }: Build): void {
  const one = new Gauge({
    name: 'holdfast_build_info',
    help: 'Always 1: the version that runs, the name of the node (NODE_NAME), and its roles.',
    labelNames: ['version', 'node', 'roles'],
    registers: [registry],
  });
  one.set({ version, node, roles: [...roles].sort().join(',') }, 1);
}

/** @param enabled whether the gremlin makes trouble at this moment */
export function watchGremlin(registry: Registry, enabled: () => boolean): void {
  const one: Gauge = new Gauge({
    name: 'holdfast_gremlin_on',
    help: 'Whether the gremlin makes trouble on purpose.',
    registers: [registry],
    collect: () => one.set(enabled() ? 1 : 0),
  });
}

/** Of a server that this process uses. Each scrape asks as /health does: within a second. */
export function watchDependencies(registry: Registry, health: () => Promise<HealthReport>): void {
  const one: Gauge = new Gauge({
    name: 'holdfast_dependency_up',
    help: 'Whether a server that this node uses answers: postgres, nats, redis, kafka.',
    labelNames: ['dependency'],
    registers: [registry],
    collect: async () => {
      const { dependencies } = await health().catch(() => ({ dependencies: {} as HealthReport['dependencies'] }));
      one.reset();
      for (const dependency of ['postgres', 'nats', 'redis', 'kafka']) {
        const status = dependencies[dependency]?.status;
        if (status === 'up' || status === 'down') one.set({ dependency }, status === 'up' ? 1 : 0);
      }
    },
  });
}

/** While the broker does not answer, the series are absent. */
export function watchStreams(registry: Registry, nats: Nats): void {
  const streams = onceAScrape(() =>
    Promise.all(STREAMS.map((name) => streamInfo(nats, name, ASK_MS).catch(() => undefined))),
  );
  const gauge = (name: string, help: string, value: (info: StreamInfo) => number) => {
    const one: Gauge = new Gauge({
      ...{ name, help },
      labelNames: ['stream'],
      registers: [registry],
      collect: async () => {
        const infos = await streams();
        one.reset();
        for (const info of infos) {
          const shown = info === undefined ? 0 : value(info);
          if (info !== undefined && shown >= 0) one.set({ stream: info.config.name }, shown);
        }
      },
    });
  };
  gauge(
    'holdfast_stream_bytes',
    'What a stream of the broker takes: JOURNAL refuses orders when it is full, EVENTS drops its oldest messages.',
    ({ state }) => state.bytes,
  );
  gauge(
    'holdfast_stream_limit_bytes',
    'The most that a stream may take; absent without a limit.',
    ({ config }) => config.max_bytes,
  );
}
