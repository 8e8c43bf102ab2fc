// Wires the node: who owns what, the other nodes, and the incarnations that run here.

import { type JournalId, type NodeId, nodeId } from '../actors/ids.js';
import { postUnderGremlin, unlessTroubled } from '../bus/gremlin/gremlin-ports.js';
import { localPost } from '../bus/letters/local-post.js';
import { OwnershipMap } from '../bus/node/ownership-map.js';
import type { SupervisorParts } from '../bus/node/supervisor.js';
import { natsMembers } from '../bus/placement/nats-members.js';
import { AmongNodes } from './among-nodes.js';
import { watchEvents } from './events-watch.js';
import type { Parts } from './parts.js';
import { nodeNotReady } from './readiness.js';
import type { DataDir } from './servers/data-dir.js';
import type { Stores } from './stores.js';
import { nodeMeter } from './telemetry/node-metrics.js';
import { partitionMeter } from './telemetry/partition-metrics.js';

/** @param placement says which partitions this node takes and gives; without it Holdfast's own placement */
export function beginNode(
  parts: Parts,
  { nodeId: id }: DataDir,
  stores: Stores,
  placement: SupervisorParts['placement'],
): void {
  const { clock, logger } = parts;
  const { log, settlement } = stores;
  const { partitions } = settlement;
  const node = nodeId(id);
  const onStored = () => parts.among?.tellMoved();
  const ownership = new OwnershipMap({ partitions, log, clock, logger, onStored });
  parts.ownership = ownership;
  parts.among = amongNodes(parts, stores, node, ownership);
  if (!parts.hasActors) return ownership.start();
  beginActors(parts, stores, node, ownership, placement);
  watchOverEvents(parts, stores);
}

function amongNodes(parts: Parts, { nats, settlement }: Stores, node: NodeId, ownership: OwnershipMap) {
  if (nats === undefined) return undefined;
  const { config, clock, logger, supervisor } = parts;
  return new AmongNodes({
    ...{ nats, node, nodeName: config.nodeName, ownership, clock, logger },
    system: settlement.id,
    partitions: settlement.partitions,
    reads: config.natsApi && parts.isEdge ? parts.edge?.reads : undefined,
    feeds: () => parts.feeds?.report ?? [],
    roles: [...config.roles].join(', '),
    incarnation: () => supervisor.incarnation,
    notReady: () => nodeNotReady(parts),
    tracing: parts.tracing,
    onNobody: (journal: JournalId) => supervisor.suspect(journal),
  });
}

function beginActors(
  parts: Parts,
  stores: Stores,
  node: NodeId,
  ownership: OwnershipMap,
  placement: SupervisorParts['placement'],
): void {
  const { config, clock, gremlin, registry } = parts;
  const { nats, settlement } = stores;
  parts.supervisor.start({
    ...stores,
    ...{ node, nodeName: config.nodeName, partitions: settlement.partitions, ownership },
    ...(placement && { placement }),
    context: {
      instantPayment: stores.instantPayment && unlessTroubled(gremlin, stores.instantPayment),
      captureOn: config.paymentCapture,
      holdDelayMs: () => gremlin.holdDelayMs(),
    },
    holdTtlMs: config.holdTtlMs ?? config.orderTimeoutMs,
    readyWriteMs: config.readyWriteMs,
    tracing: parts.tracing,
    post: postUnderGremlin(parts.among?.post ?? localPost(clock), gremlin, clock),
    heartbeats: nats && natsMembers(nats, config.natsReplicas, () => clock.now()),
    meter: nodeMeter(registry, parts.listAge, parts.orders),
    partitionMeter: partitionMeter(registry),
    onJoined: () => parts.among?.tellMoved(),
    // Neither a rename nor another node may change the bytes of events that are published once more.
    source: { uri: `/holdfast/${encodeURIComponent(settlement.id)}`, isPersonal: config.eventsPersonal },
    orderTimeoutMs: config.orderTimeoutMs,
    byteLength: Buffer.byteLength,
    deliverAtHome: true,
  });
}

function watchOverEvents(
  { supervisor, clock, logger, calledOff: { signal } }: Parts,
  { nats, isNewStream }: Stores,
): void {
  if (nats === undefined || isNewStream === undefined) return;
  const recheck = (isNew: boolean) => supervisor.incarnation?.recheckEvents(isNew);
  watchEvents({ nats, isNewStream, recheck, clock, logger, signal });
}
