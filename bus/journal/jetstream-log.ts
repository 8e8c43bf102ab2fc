/**
 * The log on JetStream: all logs are in one stream, and each log has its own subject.
 *
 * Law: an append is a publish that names the subject's last sequence. The broker stores all of it or nothing.
 * Only two refusals are answers: conflict and full. After any other answer the result is unknown, and the append
 * rejects. The last record of a log is never removed, so its sequence stays the highest ever.
 *
 * An append never has a Nats-Msg-Id. With one, newer brokers refuse a true retry, and older brokers accept a
 * changed record under a known id.
 */
import { limits } from '../../actors/limits.js';
import type { Appended, Log } from '../../actors/ports/log.js';
import { refuseUnsoundReplicas } from '../nats/broker-guarantee.js';
import type { Nats } from '../nats/nats.js';
import { ensureStream, messagesAfter, type Requirement, streamInfo, trimSubject } from '../nats/streams.js';

const JOURNAL_STREAM = 'JOURNAL';

const CONFLICT = 10071;
/** The description beside this code is the store's own error text. */
const STORE_FAILED = 10077;
const NO_ROOM = [10023, 10047];

/** The log asks for the stream's size again after so much time, or after so many appended bytes. */
const REFRESH = { ms: 5_000, bytes: 2_097_152 };
/** The size of a message beyond its record: the subject, the headers and the broker's own data. */
const MESSAGE_OVERHEAD = 150;

interface JetstreamLog extends Log {
  /** The stream's replicas, which may be more than the option asks for. */
  readonly replicas: number;
}

interface JetstreamLogOptions {
  readonly replicas: number;
  readonly bytes?: number;
  /** The last part of `bytes`, which only urgent records may use. */
  readonly reserveBytes?: number;
}

/** Replicas of the journal's stream; undefined if the stream does not exist yet. */
export const journalReplicas = async (nats: Nats): Promise<number | undefined> =>
  (await streamInfo(nats, JOURNAL_STREAM))?.config.num_replicas;

/** Creates or checks the stream. @throws when the stream is unfit; the error names the field. */
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
      // This includes 10164, from a cluster: another publish to this subject is under way, and may still fail.
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

/**
 * With other values the stream would lose records, refuse them, or not let them be trimmed. Older servers leave some
 * fields out.
 */
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

/** The stream's size at the last request, plus our appends since. It is requested again, because others write too. */
function streamSize(nats: Nats, bytesAtStart: number) {
  let known = bytesAtStart;
  let grown = 0;
  let askedAt = performance.now();
  let asking: Promise<void> | undefined;

  const ask = (): Promise<void> => {
    asking ??= streamInfo(nats, JOURNAL_STREAM)
      .then((info) => {
        if (info !== undefined) known = info.state.bytes;
        grown = 0;
      })
      // If the broker is in trouble, the next append reports it.
      .catch(() => {})
      .finally(() => {
        askedAt = performance.now();
        asking = undefined;
      });
    return asking;
  };
  return {
    bytes: () => known + grown,
    grew(bytes: number) {
      grown += bytes;
      if (grown > REFRESH.bytes || performance.now() - askedAt > REFRESH.ms) void ask();
    },
    async refreshed(): Promise<number> {
      if (performance.now() - askedAt > 500) await ask();
      return known + grown;
    },
    forget() {
      askedAt = Number.NEGATIVE_INFINITY;
    },
  };
}
