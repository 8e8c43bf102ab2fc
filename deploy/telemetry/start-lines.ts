// What the log says once the node takes orders: where it listens, who may use it, and what it does not share with other nodes.

import type { ApiKeys } from '../../actors/ports/api-keys.js';
import type { Placement } from '../../actors/ports/placement.js';
import type { Logger } from '../../actors/ports/runtime.js';
import type { EventsRetention } from '../../bus/events/jetstream-events.js';
import type { Edge } from '../../http/edge.js';
import type { Config } from '../config/config.js';

export function tellAddress({ host, roles, page }: Config, { ports }: Edge, version: string, logger: Logger): void {
  const { main: port, inventory: inventoryPort, backup: backupPort } = ports;
  if (backupPort !== undefined) logger.info({ backupPort }, `backups: http://${host}:${backupPort}/api/backup/status`);
  if (!roles.has('edge') && !roles.has('actors') && !roles.has('feed')) {
    logger.info({ inventoryPort }, `Holdfast ${version} keeps the backups of its system`);
    return;
  }
  if (roles.size === 1 && roles.has('feed')) {
    logger.info({ inventoryPort }, `Holdfast ${version} carries events out of its system`);
    return;
  }
  const line =
    port === undefined
      ? `Holdfast ${version} owns partitions, and takes orders from the edges of its system`
      : `Holdfast ${version} takes orders at http://${host}:${port}/api/orders (${page ? 'page: /, ' : ''}reference: /docs)`;
  logger.info({ port, inventoryPort }, line);
}

export function tellEvents(
  { eventsPersonal }: Config,
  { bytes, ageMs, isCompressed }: EventsRetention,
  logger: Logger,
): void {
  const size = bytes < 0 ? 'any size' : `${Math.round(bytes / 1_048_576)} MiB`;
  const age = ageMs === 0 ? 'any age' : `${Math.round(ageMs / 3_600_000)} h`;
  const form = isCompressed ? 'compressed on disk' : 'not compressed';
  const personal = eventsPersonal ? '; EVENTS_PERSONAL=on: with e-mail, addresses and notes' : '';
  logger.info({ bytes, ageMs, isCompressed }, `EVENTS keeps up to ${size} and ${age}, ${form}${personal}`);
}

export async function tellAuth(
  config: Config,
  stored: Pick<ApiKeys, 'list'> | undefined,
  logger: Logger,
): Promise<void> {
  if (config.auth === 'off') {
    logger.warn({}, 'AUTH=off: every route is open to whoever reaches this address');
    return;
  }
  const tokens = config.tokens === undefined ? '' : `, tokens of ${config.tokens.issuer}`;
  logger.info({}, `AUTH=keys: API keys${config.adminKey === undefined ? '' : ', ADMIN_KEY'}${tokens}`);
  if (config.adminKey !== undefined || config.tokens !== undefined) return;
  const keys = await stored?.list().catch(() => undefined);
  if (keys?.length === 0) logger.warn({}, 'there is no key yet, so nobody may do anything: holdfast keys create');
}

/** Without Redis each process counts requests for itself. */
export async function tellRationing(
  config: Config,
  placement: Pick<Placement, 'nodes'>,
  logger: Logger,
): Promise<void> {
  if (config.rateLimit === undefined || config.redisUrl !== undefined) return;
  const nodes = await placement.nodes().catch(() => []);
  if (nodes.length < 2) return;
  const line = `RATE_LIMIT counts in this process alone, and there are ${nodes.length} nodes: set REDIS_URL to count for all`;
  logger.warn({ nodes: nodes.map(({ name }) => name) }, line);
}

export function tellKafka({ kafka, roles }: Config, hasNats: boolean, logger: Logger): void {
  if (kafka === undefined) {
    logger.info({}, 'Kafka: off (KAFKA_BROKERS is not set)');
    return;
  }
  if (!hasNats) {
    logger.warn({}, 'Kafka: KAFKA_BROKERS is set and has no effect: without NATS there are no public events');
    return;
  }
  const where = roles.has('feed') ? 'this process feeds it' : 'a process with ROLES=feed feeds it';
  logger.info({ brokers: kafka.brokers, topics: `${kafka.prefix}.*` }, `Kafka: ${where} with every public event`);
}
