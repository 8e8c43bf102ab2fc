// Archives of orders: where settled orders go, after what age, and for how long.

import { AGES, ageOf } from '../../storage/archive/ages.js';
import { isPlace } from '../../storage/archive/archive-place.js';
import { type Mistake, optional, urlOf, type Values, withoutEndSlashes } from './kinds.js';
import type { nodeVariables } from './node.js';

export const archiveVariables = {
  ARCHIVE_TO: optional('an absolute folder or s3://bucket/prefix', (given) => (isPlace(given) ? given : undefined)),
  ARCHIVE_AFTER: optional(AGES, ageOf),
  ARCHIVE_KEEP: optional(AGES, ageOf),
  ARCHIVE_S3_ENDPOINT: optional('a URL such as https://s3.example:9000', (given) =>
    withoutEndSlashes(urlOf(given, /^https?:\/\/[^\s?#@]+$/)),
  ),
};

type Env = Values<typeof archiveVariables>;
type Shared = Values<typeof nodeVariables>;

export const archiveSettings = (env: Env) => ({
  archive: {
    /** Undefined: the role `backup` archives nothing. */
    to: env.ARCHIVE_TO,
    after: env.ARCHIVE_AFTER,
    /** Undefined: archives are kept for ever. */
    keep: env.ARCHIVE_KEEP,
    /** Undefined: AWS itself. */
    s3Endpoint: env.ARCHIVE_S3_ENDPOINT,
  },
});

export function archiveMistakes(env: Env & Shared): readonly Mistake[] {
  if ((env.ARCHIVE_TO === undefined) === (env.ARCHIVE_AFTER === undefined)) return [];
  const name = env.ARCHIVE_TO === undefined ? 'ARCHIVE_TO' : 'ARCHIVE_AFTER';
  return [{ name, allowed: 'set where the other one of ARCHIVE_TO and ARCHIVE_AFTER is' }];
}
