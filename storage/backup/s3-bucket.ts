/**
 * The one place that knows the client of buckets: of s3, at AWS or at a server that speaks as AWS does. Large files go in parts.
 * It takes a second to load, so it is loaded only for `s3://`.
 */
import { createReadStream } from 'node:fs';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Stored } from './offsite.js';

/** The protocol allows 10,000 parts: enough for 320 GiB. */
const PART_BYTES = 33_554_432;
const PARTS_AT_ONCE = 2;
/** The version of a file in a bucket that keeps none. */
const UNVERSIONED = 'null';

export interface S3Place {
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  /** Undefined: AWS itself. */
  readonly endpoint: string | undefined;
}

export interface S3Bucket {
  readonly place: string;
  /** What is under the prefix, with names after it. */
  list(signal: AbortSignal): Promise<readonly Stored[]>;
  /** Undefined: there is none. */
  sizeOf(name: string, signal: AbortSignal): Promise<number | undefined>;
  /** @param range its first byte, and the one after its last */
  read(name: string, signal: AbortSignal, range?: readonly [number, number]): Promise<AsyncIterable<Buffer>>;
  upload(name: string, path: string, sha256: string, signal: AbortSignal): Promise<void>;
  /** With all its versions, where the bucket keeps them. @returns why some are left, as a sentence; undefined: none is */
  remove(name: string, signal: AbortSignal): Promise<string | undefined>;
}

/** `s3://bucket/prefix` in its parts; undefined where it is something else. */
export function s3PlaceOf(url: string, endpoint: string | undefined): S3Place | undefined {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/*$/.exec(url) ?? [];
  return bucket === undefined ? undefined : { bucket, prefix: prefix === '' ? '' : `${prefix}/`, endpoint };
}

/** Keys and region come from the usual AWS_* variables, or from whatever else the client knows. */
export function s3Bucket({ bucket, prefix, endpoint }: S3Place, partBytes = PART_BYTES): S3Bucket {
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true, region: process.env.AWS_REGION ?? 'us-east-1' }),
    // Servers other than AWS may not know the checksums that newer clients add by themselves.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const at = (name: string) => ({ Bucket: bucket, Key: prefix + name });

  /** The ids of the versions of a file and of its delete markers; the present one is the last. */
  async function versionsOf(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const { Key: key } = at(name);
    const found: { readonly id: string; readonly isLatest: boolean }[] = [];
    let next: { readonly KeyMarker?: string | undefined; readonly VersionIdMarker?: string | undefined } | undefined =
      {};
    while (next !== undefined) {
      const page: ListObjectVersionsCommandOutput = await client.send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, ...next }),
        { abortSignal: signal },
      );
      for (const { Key, VersionId, IsLatest } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]) {
        if (Key === key && VersionId !== undefined) found.push({ id: VersionId, isLatest: IsLatest === true });
      }
      const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
      next = IsTruncated === true ? { KeyMarker, VersionIdMarker } : undefined;
    }
    return found.sort((a, b) => Number(a.isLatest) - Number(b.isLatest)).map(({ id }) => id);
  }
  return {
    place: `s3://${bucket}/${prefix}`,
    async list(signal) {
      const found: Stored[] = [];
      let next: string | undefined;
      do {
        const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: next });
        const page = await client.send(command, { abortSignal: signal });
        for (const { Key: key = '', Size: bytes = 0, LastModified: time } of page.Contents ?? []) {
          if (time !== undefined) found.push({ name: key.slice(prefix.length), bytes, at: time.getTime() });
        }
        next = page.NextContinuationToken;
      } while (next !== undefined);
      return found;
    },
    async sizeOf(name, signal) {
      try {
        return (await client.send(new HeadObjectCommand(at(name)), { abortSignal: signal })).ContentLength;
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return undefined;
        throw error;
      }
    },
    async read(name, signal, range) {
      const Range = range && `bytes=${range[0]}-${range[1] - 1}`;
      const { Body } = await client.send(new GetObjectCommand({ ...at(name), Range }), { abortSignal: signal });
      return Body as AsyncIterable<Buffer>;
    },
    async upload(name, path, sha256, signal) {
      const upload = new Upload({
        client,
        params: { ...at(name), Body: createReadStream(path), Metadata: { sha256 } },
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
    },
    async remove(name, signal) {
      const gone = (VersionId?: string) =>
        client.send(new DeleteObjectCommand({ ...at(name), VersionId }), { abortSignal: signal });
      let why: unknown;
      try {
        // The present version goes last: a run that is killed meanwhile finds it again.
        for (const version of await versionsOf(name, signal)) if (version !== UNVERSIONED) await gone(version);
      } catch (error) {
        signal.throwIfAborted();
        if (nameOf(error) !== 'NotImplemented') why = error;
      }
      const isThere = why !== undefined || (await this.sizeOf(name, signal)) !== undefined;
      if (isThere) await gone();
      if (why === undefined) return undefined;
      return `old versions of ${name} may be left in s3://${bucket} (${nameOf(why)}): remove them there`;
    },
  };
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : String(error));
