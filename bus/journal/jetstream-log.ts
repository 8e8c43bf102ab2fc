/**
 * The log on JetStream: a subject a log, in one stream.
 *
 * Law: an append is a publish that names the subject's last sequence; the broker stores it or does not.
 * Only two refusals are answers (conflict, full); whatever else is said leaves open what happened, and
 * rejects. The last record of a log is never removed, so that its sequence stays the highest ever.
 *
 * Never Nats-Msg-Id: the broker's own dedupe refuses a true retry on newer versions and takes a changed
 * record under a known id on older ones.
 */
import { limits } from '../../actors/limits.js';
import type { Appended, Log } from '../../actors/ports/log.js';
import { refuseUnsoundReplicas } from '../nats/broker-guarantee.js';
import type { Nats } from '../nats/nats.js';
import { ensureStream, messagesAfter, type Requirement, streamInfo, trimSubject } from '../nats/streams.js';

const JOURNAL_STREAM = 'JOURNAL';

const CONFLICT = 10071;
/** The store's own words stand beside this one. */
const STORE_FAILED = 10077;
const NO_ROOM = [10023, 10047];

/** The stream's size is asked for again after so much of either. */
const REFRESH = { ms: 5_000, bytes: 2_097_152 };
/** Of a message beside its record: subject, headers, the broker's own. */
const MESSAGE_OVERHEAD = 150;

interface JetstreamLog extends Log {
  /** As the stream has them, which may be more than asked for. */
  readonly replicas: number;
}

interface JetstreamLogOptions {
  readonly replicas: number;
  readonly bytes?: number;
  /** Below `bytes`, for urgent records alone. */
  readonly reserveBytes?: number;
}

/** Replicas of the journal's stream, where there is one already. */
export const journalReplicas = async (nats: Nats): Promise<number | undefined> =>
  (await streamInfo(nats, JOURNAL_STREAM))?.config.num_replicas;

/** Makes or checks the stream. @throws when it is not fit, naming the field. */
export async function jetstreamLog(nats: Nats, options: JetstreamLogOptions): Promise<JetstreamLog> {
  const { replicas, bytes = limits.journalBytes, reserveBytes = limits.journalReserveBytes } = options;
  refuseUnsoundReplicas(nats.version, replicas);
  const shape = {
    name: JOURNAL_STREAM,
    subjects: ['journal.*', 'claims', 'system'],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_bytes: bytes,
    num_replicas: replicas,
  } as const;
  const { config, state } = await ensureStream(nats, { ...shape, subjects: [...shape.subjects] }, [
    ...requirements,
    { field: 'num_replicas', wanted: `at least ${replicas} (NATS_REPLICAS)`, fits: (n) => Number(n) >= replicas },
  ]);
  const size = streamSize(nats, state.bytes);
  const roomBytes = (config.max_bytes > 0 ? config.max_bytes : bytes) - reserveBytes;

  return {
    replicas: config.num_replicas,

    async append(log, after, record, { urgent = false } = {}): Promise<Appended> {
      if (!urgent && size.bytes() + record.length > roomBytes && (await size.refreshed()) + record.length > roomBytes) {
        return { kind: 'full' };
      }
      const answer = await nats.publish(log, record, after);
      if ('seq' in answer) {
        size.grew(record.length + MESSAGE_OVERHEAD);
        return { kind: 'appended', position: answer.seq };
      }
      const { errCode, description } = answer.refused;
      if (errCode === CONFLICT) return { kind: 'conflict' };
      if (NO_ROOM.includes(errCode) || (errCode === STORE_FAILED && /^maximum (bytes|messages)/.test(description))) {
        return { kind: 'full' };
      }
      // Also 10164, of a cluster: another publish to this subject is under way, and may fail yet.
      throw answer.refused;
    },

    async read(log, after) {
      const messages = await messagesAfter(nats, JOURNAL_STREAM, log, after);
      return messages.map(({ seq, text }) => ({ position: seq, record: text }));
    },

    async trim(log, upTo) {
      await trimSubject(nats, JOURNAL_STREAM, log, upTo);
      size.forget();
    },
  };
}

// ---------------------------------------------------------------- machinery

const is =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);

/** What would lose records, keep them out, or keep them from being trimmed. Older servers leave some fields out. */
const requirements: readonly Requirement[] = [
  {
    field: 'subjects',
    wanted: 'journal.*, claims and system',
    fits: (s) => Array.isArray(s) && ['journal.*', 'claims', 'system'].every((subject) => s.includes(subject)),
  },
  { field: 'storage', wanted: 'file', fits: is('file') },
  { field: 'retention', wanted: 'limits', fits: is('limits') },
  { field: 'discard', wanted: 'new', fits: is('new') },
  { field: 'max_age', wanted: '0', fits: is(0, undefined) },
  { field: 'max_msgs_per_subject', wanted: '-1', fits: is(-1, 0, undefined) },
  { field: 'persist_mode', wanted: 'default', fits: is(undefined, '', 'default') },
  { field: 'no_ack', wanted: 'false', fits: is(false, undefined) },
  { field: 'sealed', wanted: 'false', fits: is(false, undefined) },
  { field: 'deny_purge', wanted: 'false', fits: is(false, undefined) },
  { field: 'subject_transform', wanted: 'none', fits: is(undefined) },
  {
    field: 'max_msg_size',
    wanted: `-1 or at least ${limits.recordBytes}`,
    fits: (n) => n === undefined || Number(n) <= 0 || Number(n) >= limits.recordBytes,
  },
];

/** The stream's size as last told, plus what we have added since: others write to it too. */
function streamSize(nats: Nats, toldBytes: number) {
  let told = toldBytes;
  let grown = 0;
  let askedAt = performance.now();
  let asking: Promise<void> | undefined;

  const ask = (): Promise<void> => {
    asking ??= streamInfo(nats, JOURNAL_STREAM)
      .then((info) => {
        if (info !== undefined) told = info.state.bytes;
        grown = 0;
      })
      // The next append finds out what is wrong with the broker.
      .catch(() => {})
      .finally(() => {
        askedAt = performance.now();
        asking = undefined;
      });
    return asking;
  };
  return {
    bytes: () => told + grown,
    grew(bytes: number) {
      grown += bytes;
      if (grown > REFRESH.bytes || performance.now() - askedAt > REFRESH.ms) void ask();
    },
    async refreshed(): Promise<number> {
      if (performance.now() - askedAt > 500) await ask();
      return told + grown;
    },
    forget() {
      askedAt = Number.NEGATIVE_INFINITY;
    },
  };
}
