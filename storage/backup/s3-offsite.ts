/**
 * A bucket as an off-site.
 *
 * Law: an upload counts after the object was read back and has the archive's sha256. What an ETag or a stored checksum means differs
 * between servers; the bytes do not.
 */
import { createHash } from 'node:crypto';
import type { Archive, Offsite } from './offsite.js';
import { type S3Place, s3Bucket } from './s3-bucket.js';

export function s3Offsite(at: S3Place, partBytes?: number): Offsite {
  const bucket = s3Bucket(at, partBytes);
  const { place } = bucket;

  async function mustBeSame({ name, bytes, sha256 }: Archive, signal: AbortSignal): Promise<void> {
    const hash = createHash('sha256');
    let read = 0;
    for await (const piece of await bucket.read(name, signal)) {
      hash.update(piece);
      read += piece.length;
    }
    if (read !== bytes || hash.digest('hex') !== sha256) throw new OtherBytes(`${place} has other bytes of ${name}`);
  }

  return {
    place,
    async list(signal) {
      const found = await inWords(place, () => bucket.list(signal));
      return found.filter(({ name }) => /^\d{4}-\d\d-\d\d[^/]*\.tar(\.gz)?(\.age)?$/.test(name));
    },
    isSame: (_stored, archive, signal) =>
      inWords(place, () => mustBeSame(archive, signal)).then(
        () => true,
        (error) => {
          if (error instanceof OtherBytes) return false;
          throw error;
        },
      ),
    async upload(archive, _bypass, signal) {
      await inWords(place, async () => {
        await bucket.upload(archive.name, archive.path, archive.sha256, signal);
        await mustBeSame(archive, signal);
      });
    },
  };
}

// ---------------------------------------------------------------- machinery

class OtherBytes extends Error {}

async function inWords<T>(place: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof OtherBytes) throw error;
    const { name = '', message = String(error) } = error as Error;
    throw new Error(`${place} does not take it: ${name === 'Error' ? '' : `${name}: `}${message}`, { cause: error });
  }
}
