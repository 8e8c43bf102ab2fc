/**
 * The form of an API key: `hf_<id>_<secret>`. A scanner for secrets knows it by its beginning, and the id
 * tells which one to revoke to whoever finds it.
 *
 * Only the SHA-256 of the whole text is kept. A slow hash protects what people choose, of which a thief can try
 * all; of 256 random bits he can try nothing, and a slow hash would cost every request.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';

const FORM = /^hf_[0-9a-z]{12}_[0-9a-f]{64}$/;
const ID_CHARS = '0123456789abcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 12;

export const isApiKey = (text: string): boolean => FORM.test(text);

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

interface DrawnKey {
  readonly id: string;
  /** To be shown once, and kept nowhere. */
  readonly key: string;
  readonly hash: string;
}

export function drawKey(): DrawnKey {
  const id = Array.from({ length: ID_LENGTH }, () => ID_CHARS[randomInt(ID_CHARS.length)]).join('');
  const key = `hf_${id}_${randomBytes(32).toString('hex')}`;
  return { id, key, hash: hashOf(key) };
}
