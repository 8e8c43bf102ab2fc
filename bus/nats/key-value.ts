/**
 * A bucket of keys and values on NATS, in the form that NATS clients know (`nats kv`): a stream `KV_<bucket>` in which
 * each subject is a key and only the last message of a key is kept (NATS ADR-8). It holds hints: it is in the broker's
 * memory, and may lose everything at once.
 *
 * Law: an answer to `entries` was given by the stream's leader. A key without a new put for maxAgeMs is gone.
 */
import type { Nats } from './nats.js';
import { ensureStream, lastMessage, type Requirement, type StreamShape } from './streams.js';

interface KeyValueEntry {
  readonly key: string;
  readonly value: string;
  /** Another one for each put, of whatever key. It begins anew when the bucket was lost. */
  readonly revision: number;
}

export interface KeyValueBucket {
  put(key: string, value: string): Promise<void>;
  /** The last value of each key, at most `most` of them. */
  entries(most: number): Promise<readonly KeyValueEntry[]>;
}

interface BucketOptions {
  readonly replicas: number;
  readonly maxAgeMs: number;
  readonly bytes: number;
  /** For people (`nats kv ls`). */
  readonly description: string;
  /** A call without an answer rejects after this time. */
  readonly deadlineMs: number;
}

/** @param bucket of letters, digits, `-` and `_` */
export function keyValueBucket(nats: Nats, bucket: string, options: BucketOptions): KeyValueBucket {
  const { replicas, maxAgeMs, bytes, description, deadlineMs } = options;
  const stream = `KV_${bucket}`;
  const prefix = `$KV.${bucket}.`;
  const shape: StreamShape = {
    name: stream,
    description,
    subjects: [`${prefix}>`],
    storage: 'memory',
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    max_age: maxAgeMs * 1_000_000,
    max_bytes: bytes,
    discard: 'new',
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  };
  let isThere = false;
  /** Others may start at once, or have started earlier; a broker that lost its memory may not have it any more. */
  const ensured = async () => {
    if (!isThere) await ensureStream(nats, shape, requirements);
    isThere = true;
  };
  const call = async <T>(asked: () => Promise<T>): Promise<T> => {
    await ensured();
    return asked().catch((error: unknown) => {
      isThere = false; // Perhaps somebody deleted it. The next call looks, and makes it again.
      throw error;
    });
  };

  return {
    put: (key, value) =>
      call(async () => {
        const answer = await nats.publish(prefix + key, value, 'any', { deadlineMs });
        if ('refused' in answer) throw answer.refused;
      }),

    entries: (most) =>
      call(async () => {
        const asked = { subjects_filter: `${prefix}>` };
        type Info = { state: { subjects?: Record<string, number> } };
        const { state } = await nats.api<Info>(`STREAM.INFO.${stream}`, asked, deadlineMs);
        const subjects = Object.keys(state.subjects ?? {}).slice(0, most);
        const found = await Promise.all(subjects.map((subject) => lastMessage(nats, stream, subject, deadlineMs)));
        return found.flatMap((message, at) => {
          // A key may have expired meanwhile. One that `nats kv del` deleted has a message that says so.
          if (message === undefined || /^KV-Operation:/im.test(message.headers)) return [];
          const key = (subjects[at] ?? '').slice(prefix.length);
          return [{ key, value: message.text, revision: message.seq }];
        });
      }),
  };
}

// ---------------------------------------------------------------- machinery

/** With other values a put would be refused, or a read would not find the last one. */
const requirements: readonly Requirement[] = [
  { field: 'max_msgs_per_subject', wanted: 'at least 1', fits: (n) => Number(n) >= 1 },
  { field: 'sealed', wanted: 'false', fits: (value) => value === false || value === undefined },
  { field: 'no_ack', wanted: 'false', fits: (value) => value === false || value === undefined },
];
