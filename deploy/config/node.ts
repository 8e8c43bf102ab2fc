// This node: its name and folder, what it does, and what its system was settled with.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { limits } from '../../actors/limits.js';
import { integer, type Mistake, oneOf, onOrOff, path, text, type Values, variable } from './kinds.js';
import type { natsVariables } from './nats.js';
import type { storeVariables } from './stores.js';

/**
 * What a process does: it answers clients (edge), it owns partitions (actors), it carries events out of the system (feed), it keeps
 * backups (backup), it stands before the services of a shop and keeps its orders (boutique).
 */
const ROLES = ['edge', 'actors', 'feed', 'backup', 'boutique'] as const;
type Role = (typeof ROLES)[number];
/** Backups need room and a place of their own, and a shop is not everybody's, so these are asked for by name. */
const USUAL: readonly Role[] = ['edge', 'actors', 'feed'];

export const nodeVariables = {
  ENVIRONMENT: oneOf(['development', 'production'], 'development'),
  DATA_DIR: path('.data'),
  ROLES: variable<ReadonlySet<Role>>(
    new Set(USUAL),
    'empty or all, or a list of edge, actors, feed, backup and boutique; all is without the last two: all,backup',
    rolesOf,
  ),
  PARTITIONS: integer(16, 1, limits.partitions),
  SEED: oneOf(['demo', 'none'], 'demo'),
  FETCH_SERVERS: oneOf(['auto', 'never'], 'auto'),
  LOG_FORMAT: oneOf(['holdfast', 'boutique'], 'holdfast'),
  LOG_LEVEL: oneOf(['info', 'trace', 'debug', 'warn', 'error', 'fatal', 'silent'], 'info'),
  ACCESS_LOG: oneOf(['off', 'on'], 'off'),
  SERVICE_NAME: text('holdfast'),
  NODE_NAME: text(hostname()),
  STOP_DELAY_MS: integer(0, 0, 120_000),
  READY_WRITE_S: integer(0, 0, 3_600),
  GREMLIN: onOrOff,
};

type Env = Values<typeof nodeVariables>;
type Shared = Pick<Values<typeof natsVariables & typeof storeVariables>, 'NATS_URL' | 'DATABASE_URL'>;

export function nodeMistakes({ ROLES: roles, NATS_URL, DATABASE_URL }: Env & Shared): readonly Mistake[] {
  if (isShopAlone(roles) && NATS_URL.length === 0) return [];
  if ((roles.has('edge') && roles.has('actors')) || (NATS_URL.length > 0 && DATABASE_URL !== undefined)) return [];
  const allowed =
    'all, or come with NATS_URL and DATABASE_URL: a process without an edge or without actors shares both with other nodes';
  return [{ name: 'ROLES', allowed }];
}

export const nodeSettings = (env: Env & Shared) => ({
  environment: env.ENVIRONMENT,
  /** Absolute. */
  dataDir: resolve(env.DATA_DIR),
  /** The role boutique alone brings the node that stores the orders, unless it shares the stores with other nodes. */
  roles:
    isShopAlone(env.ROLES) && env.NATS_URL.length === 0 ? new Set<Role>([...env.ROLES, 'edge', 'actors']) : env.ROLES,
  /** Whether the orders of a shop are stored: a process for the shop alone has no database of its own. */
  keepsOrders: !isShopAlone(env.ROLES) || env.DATABASE_URL !== undefined,
  partitions: env.PARTITIONS,
  seed: env.SEED,
  fetchServers: env.FETCH_SERVERS,
  logFormat: env.LOG_FORMAT,
  logLevel: env.LOG_LEVEL,
  /** Whether each request has a line in the log. */
  accessLog: env.ACCESS_LOG === 'on',
  serviceName: env.SERVICE_NAME,
  nodeName: env.NODE_NAME,
  stopDelayMs: env.STOP_DELAY_MS,
  readyWriteMs: env.READY_WRITE_S * 1_000,
  /** Whether the gremlin may be switched on. */
  gremlin: (env.GREMLIN ?? (env.ENVIRONMENT === 'production' ? 'off' : 'on')) === 'on',
});

// ---------------------------------------------------------------- machinery

const isShopAlone = (roles: ReadonlySet<Role>): boolean => roles.size === 1 && roles.has('boutique');

function rolesOf(given: string): ReadonlySet<Role> | undefined {
  const words = given.split(',').map((word) => word.trim().toLowerCase());
  const named = words.flatMap((word) => (word === 'all' ? USUAL : ROLES.filter((role) => role === word)));
  return words.every((word) => word === 'all' || ROLES.some((role) => role === word)) ? new Set(named) : undefined;
}
