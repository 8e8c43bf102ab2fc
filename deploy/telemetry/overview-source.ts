// What the overview (http/node/overview.ts) tells of this process beside its edge: outcomes, EVENTS, feeds, and the last verdict.

import { EVENTS_STREAM } from '../../bus/events/jetstream-events.js';
import type { Nats } from '../../bus/nats/nats.js';
import { streamInfo } from '../../bus/nats/streams.js';
import type { OverviewSource, SeenVerdict } from '../../http/node/overview.js';
import { lastVerdict } from '../commands/last-verdict.js';
import type { Parts } from '../parts.js';
import { version } from '../version.js';

const ASK_MS = 1_000;

export function overviewSource(parts: Parts): OverviewSource {
  const { config, orders } = parts;
  return {
    ...{ name: config.nodeName, version },
    outcomes: () => ({ confirmed: orders.confirmed, failed: orders.failed, cancelled: orders.cancelled }),
    get events() {
      const nats = parts.stores?.nats;
      return nats && { lastSequence: () => lastSequence(nats), feeds: () => parts.feeds?.report ?? [] };
    },
    verdict: async () => {
      const [ofSystem, ofDump] = [await kept(config.dataDir), parts.backup?.verdict];
      return (ofSystem?.at ?? 0) >= (ofDump?.at ?? 0) ? ofSystem : ofDump;
    },
  };
}

// ---------------------------------------------------------------- machinery

async function lastSequence(nats: Nats): Promise<number> {
  const info = await streamInfo(nats, EVENTS_STREAM, ASK_MS);
  if (info === undefined) throw new Error('there is no stream EVENTS yet');
  return info.state.last_seq;
}

async function kept(dataDir: string): Promise<SeenVerdict | undefined> {
  const found = await lastVerdict(dataDir);
  return found && { clean: found.clean, at: Date.parse(found.at), violations: found.total, of: 'verify' };
}
