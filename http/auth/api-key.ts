/**
 * The form of an API key: `hf_<id>_<secret>`. Secret scanners recognise the prefix, and the id of a leaked key tells
 * which key to revoke.
 *
 * Only the SHA-256 of the whole text is stored. A slow hash protects passwords, which an attacker can guess. Nobody can
 * guess 256 random bits, and a slow hash would cost every request.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';

const FORM = /^hf_[0-9a-z]{12}_[0-9a-f]{64}$/;
const ID_CHARS = '0123456789abcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 12;

export const isApiKey = (text: string): boolean => FORM.test(text);

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

interface DrawnKey {
  readonly id: string;
  /** Shown once and stored nowhere. */
  readonly key: string;
  readonly hash: string;
}

export function drawKey(): DrawnKey {
  const id = Array.from({ length: ID_LENGTH }, () => ID_CHARS[randomInt(ID_CHARS.length)]).join('');
  const key = `hf_${id}_${randomBytes(32).toString('hex')}`;
  return { id, key, hash: hashOf(key) };
}
