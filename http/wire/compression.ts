/**
 * Compresses replies above about a kilobyte for clients that accept gzip. Small, frequent replies, such as the answer to
 * an order, are not compressed. A body that never changes is compressed once, at the best level.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { limits } from '../../actors/limits.js';
import type { Answer } from '../api/reply.js';
import { prefersGzip } from './accept.js';

const compress = promisify(gzip);
/** Lists are repetitive, so the fastest level saves nearly as much as the best one. */
const LEVEL = constants.Z_BEST_SPEED;

/** A strong ETag identifies exact bytes. Such a reply is sent uncompressed, or in the form packed beforehand. */
export const pays = (req: IncomingMessage, { body, etag, status, packed }: Answer): boolean =>
  body.length > limits.plainReplyChars &&
  (packed !== undefined || !etag?.startsWith('"')) &&
  status !== 204 &&
  prefersGzip(req);

export const compressed = async (answer: Answer): Promise<Answer> =>
  answer.packed ?? { ...answer, gzipped: await compress(answer.body, { level: LEVEL }) };

/** Prepares an answer that is sent often: both forms, each with the ETag of its bytes. */
export async function packed(answer: Answer): Promise<Answer> {
  const gzipped = await compress(answer.body, { level: constants.Z_BEST_COMPRESSION });
  return { ...answer, etag: etagOf(answer.body), packed: { ...answer, gzipped, etag: etagOf(gzipped) } };
}

const etagOf = (bytes: string | Buffer): string =>
  `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
