/**
 * A bucket of s3, at AWS or at a server that speaks as AWS does. Large archives go in parts.
 *
 * Law: an upload counts after the object was read back and has the archive's sha256. What an ETag or a stored checksum means differs
 * between servers; the bytes do not.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Archive, Offsite, Stored } from './offsite.js';

/** The protocol allows 10,000 parts: enough for 320 GiB. */
const PART_BYTES = 33_554_432;
const PARTS_AT_ONCE = 2;

interface S3Place {
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  /** Undefined: AWS itself. */
  readonly endpoint: string | undefined;
}

/** Keys and region come from the usual AWS_* variables, or from whatever else the client knows. */
export function s3Offsite({ bucket, prefix, endpoint }: S3Place, partBytes = PART_BYTES): Offsite {
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true, region: process.env.AWS_REGION ?? 'us-east-1' }),
    // Servers other than AWS may not know the checksums that newer clients add by themselves.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const place = `s3://${bucket}/${prefix}`;

  async function mustBeSame({ name, bytes, sha256 }: Archive, signal: AbortSignal): Promise<void> {
    const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + name }), {
      abortSignal: signal,
    });
    const hash = createHash('sha256');
    let read = 0;
    for await (const piece of body as AsyncIterable<Buffer>) {
      hash.update(piece);
      read += piece.length;
    }
    if (read !== bytes || hash.digest('hex') !== sha256) throw new OtherBytes(`${place} has other bytes of ${name}`);
  }

  return {
    place,
    async list(signal) {
      const found: Stored[] = [];
      let next: string | undefined;
      do {
        const page = await inWords(place, () =>
          client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: next }), {
            abortSignal: signal,
          }),
        );
        for (const { Key: key = '', Size: bytes = 0, LastModified: at } of page.Contents ?? []) {
          if (at !== undefined) found.push({ name: key.slice(prefix.length), bytes, at: at.getTime() });
        }
        next = page.NextContinuationToken;
      } while (next !== undefined);
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
        const upload = new Upload({
          client,
          params: {
            ...{ Bucket: bucket, Key: prefix + archive.name, Body: createReadStream(archive.path) },
            Metadata: { sha256: archive.sha256 },
          },
          partSize: partBytes,
          queueSize: PARTS_AT_ONCE,
        });
        const abort = () => void upload.abort();
        signal.addEventListener('abort', abort);
        try {
          await upload.done();
        } finally {
          signal.removeEventListener('abort', abort);
        }
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
