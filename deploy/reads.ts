// Wires what is read: lists and whether they are fresh, live events, who owns what. Beside them run the two that keep lists
// up to date, on nodes that own partitions.

import { type JournalId, nodeId } from '../actors/ids.js';
import { jetstreamSource } from '../bus/live/jetstream-source.js';
import { LiveHub } from '../bus/live/live-hub.js';
import { placementByClaims } from '../bus/node/claimed-places.js';
import { FreshLists } from '../bus/reads/fresh-lists.js';
import { ListSources } from '../bus/reads/list-sources.js';
import { productReads } from '../bus/reads/product-reads.js';
import { SearchIndexer } from '../bus/reads/search-indexer.js';
import { StatsFolder } from '../bus/reads/stats-folder.js';
import type { Parts } from './parts.js';
import type { DataDir } from './servers/data-dir.js';
import type { Stores } from './stores.js';
import { searchMeter } from './telemetry/node-metrics.js';

export function openReads(parts: Parts, { nodeId: id }: DataDir, stores: Stores): void {
  const { config, clock, logger, supervisor } = parts;
  const { nats, log, settlement } = stores;
  const hurryFlush = (journal: JournalId, position: number) => {
    const { incarnation } = supervisor;
    if (incarnation?.journal === journal) incarnation.driver.hurryFlush(position);
    else parts.among?.hurryFlush(journal, position);
  };
  parts.freshLists = new FreshLists({ ...stores, clock, hurryFlush });
  if (nats !== undefined && parts.isEdge) {
    parts.live = new LiveHub({ source: jetstreamSource({ nats, clock, logger }), clock, logger });
  }
  parts.queries = productReads(stores.queries, () => supervisor.incarnation?.keepers);
  parts.lists = new ListSources(parts.queries, stores.replica, clock);
  const me = { node: nodeId(id), name: config.nodeName, host: () => supervisor.incarnation?.host };
  const others = () => supervisor.others;
  parts.placement = placementByClaims({ log, partitions: settlement.partitions, clock, me, others });
}

export function keepListsUpToDate(parts: Parts, { searchIndex: index, statsFold: stats }: Stores): void {
  const { clock, logger, registry } = parts;
  const meter = searchMeter(registry, () => parts.indexer?.lagMs() ?? 0);
  parts.indexer = new SearchIndexer({ index, clock, logger, indexed: meter.indexed });
  parts.indexer.start();
  parts.folder = new StatsFolder({ stats, clock, logger, random: Math.random });
  parts.folder.start();
}
