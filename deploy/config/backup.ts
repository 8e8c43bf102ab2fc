// Backups: where they are kept, how often, for how long, and where they go.

import { join, resolve } from 'node:path';
import type { httpVariables } from './http.js';
import {
  integer,
  type Mistake,
  matching,
  optional,
  optionalPath,
  urlOf,
  type Values,
  withoutEndSlashes,
} from './kinds.js';
import type { nodeVariables } from './node.js';

export const backupVariables = {
  BACKUP_DIR: optionalPath,
  BACKUP_PORT: integer(3002, 0, 65_535),
  BACKUP_EVERY_S: integer(300, 10, 86_400),
  BACKUP_KEEP_DUMPS: integer(24, 1, 10_000),
  BACKUP_KEEP_DAYS: integer(30, 1, 3_650),
  BACKUP_AGE_RECIPIENT: optional(
    'an age recipient such as age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
    matching(/^age1(?:[02-9ac-hj-np-z]{58}|pq1[02-9ac-hj-np-z]{1000,3000})$/),
  ),
  BACKUP_OFFSITE_URL: optional('a URL such as https://vault.example or s3://bucket/prefix', (given) =>
    /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^\s?#]*)?$/.test(given)
      ? given
      : withoutEndSlashes(urlOf(given, /^https?:\/\/[^\s?#]+$/)),
  ),
  BACKUP_S3_ENDPOINT: optional('a URL such as https://s3.example:9000', (given) =>
    withoutEndSlashes(urlOf(given, /^https?:\/\/[^\s?#@]+$/)),
  ),
};

type Env = Values<typeof backupVariables>;
type Shared = Values<typeof httpVariables & typeof nodeVariables>;

export const backupSettings = (env: Env & Shared) => ({
  backup: {
    /** Absolute. */
    folder: resolve(env.BACKUP_DIR ?? join(env.DATA_DIR, 'backup')),
    port: env.BACKUP_PORT,
    everyMs: env.BACKUP_EVERY_S * 1_000,
    keepDumps: env.BACKUP_KEEP_DUMPS,
    keepDays: env.BACKUP_KEEP_DAYS,
    /** Undefined: archives are not encrypted. */
    recipient: env.BACKUP_AGE_RECIPIENT,
    /** Undefined: archives stay on the volume. */
    offsite: env.BACKUP_OFFSITE_URL,
    /** Undefined: AWS itself. */
    s3Endpoint: env.BACKUP_S3_ENDPOINT,
  },
});

export function backupMistakes(env: Env & Shared): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  if (env.BACKUP_S3_ENDPOINT !== undefined && env.BACKUP_OFFSITE_URL?.startsWith('s3://') !== true) {
    mistakes.push({ name: 'BACKUP_OFFSITE_URL', allowed: 's3://bucket/prefix, as BACKUP_S3_ENDPOINT is set' });
  }
  const { ROLES: roles, BACKUP_PORT: port } = env;
  const taken = [...(roles.has('edge') ? [env.PORT] : []), env.INVENTORY_PORT];
  if (roles.has('backup') && port !== 0 && taken.includes(port)) {
    mistakes.push({ name: 'BACKUP_PORT', allowed: 'another port than PORT and INVENTORY_PORT' });
  }
  return mistakes;
}
