// The addresses of a system's stores: those of its own children, or the given ones.

import { type NatsAccount, rememberedNats } from '../../../deploy/servers/nats-server.js';
import { type PostgresAccount, rememberedPostgresUrl } from '../../../deploy/servers/postgres-server.js';
import type { RealSystem } from './real-system.js';

/** @param as of our own Postgres; a given one has one URL */
export async function databaseUrl({ env, dataDir }: RealSystem, as: PostgresAccount = 'node'): Promise<string> {
  const url = env.DATABASE_URL ?? (await rememberedPostgresUrl(dataDir, as));
  if (url === undefined) throw new Error(`${dataDir} has no Postgres of ours, and DATABASE_URL is not set`);
  return url;
}

/** @param as of our own broker; a given one has one URL */
export async function brokerUrl({ env, dataDir }: RealSystem, as: NatsAccount = 'node'): Promise<string> {
  const url = env.NATS_URL ?? (await rememberedNats(dataDir, as))?.url;
  if (url === undefined) throw new Error(`${dataDir} has no nats-server of ours, and NATS_URL is not set`);
  return url;
}

export async function monitorUrl({ env, dataDir }: RealSystem): Promise<string> {
  const url = env.NATS_MONITOR_URL ?? (await rememberedNats(dataDir))?.monitorUrl;
  if (url === undefined) throw new Error(`${dataDir} has no nats-server of ours, and NATS_MONITOR_URL is not set`);
  return url;
}
