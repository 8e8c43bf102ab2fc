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
import { setTimeout } from 'node:timers/promises';
import { limits } from '../../actors/limits.js';
import type { Appended, Log, Position } from '../../actors/ports/log.js';
import type { Nats, Published } from '../nats/nats.js';
import { NotAllowed } from '../nats/requests.js';
import {
  ensureStream,
  lastMessage,
  messagesAfter,
  type Requirement,
  streamInfo,
  streamInfoWhenLed,
  trimSubject,
} from '../nats/streams.js';

export const JOURNAL_STREAM = 'JOURNAL';

const CONFLICT = 10071;
/** The description beside this code is the store's own error text. */
const STORE_FAILED = 10077;
const NO_ROOM = [10023, 10047];
/** From a cluster, which has stored nothing of this one: another publish to the subject is under way, and may still fail. */
const UNDER_WAY = 10164;
/** A round trip between brokers, and how many of them the other publish may take. */
const UNDER_WAY_MS = 10;
const UNDER_WAY_TRIES = 20;

/** The log asks for the stream's size again after so much time, or after limits.journalBlindBytes of its own. */
const REFRESH_MS = 5_000;
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
  /** Who may purge the stream; without it this connection's own user. */
  readonly purger?: Pick<Nats, 'api'>;
}

/** Replicas of the journal's stream; undefined if the stream does not exist yet. */
export const journalReplicas = async (nats: Nats): Promise<number | undefined> =>
  (await streamInfoWhenLed(nats, JOURNAL_STREAM))?.config.num_replicas;

/** Creates or checks the stream. @throws when the stream is unfit; the error names the field. */
export async function jetstreamLog(nats: Nats, options: JetstreamLogOptions): Promise<JetstreamLog> {
  const { replicas, bytes = limits.journalBytes, reserveBytes = limits.journalReserveBytes, purger } = options;
  const shape = {
    name: JOURNAL_STREAM,
    description: 'Holdfast: what it decided and nobody else has yet. Never edit, purge or delete it',
    subjects: ['journal.*', 'claims', 'system'],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    deny_delete: true,
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_bytes: bytes,
    num_replicas: replicas,
  } as const;
  const { config, state } = await ensureStream(nats, { ...shape, subjects: [...shape.subjects] }, [
    ...requirements,
    UNCOMPRESSED,
    { field: 'num_replicas', wanted: `at least ${replicas} (NATS_REPLICAS)`, fits: (n) => Number(n) >= replicas },
  ]);
  const size = streamSize(nats, state.bytes);
  const roomBytes = (config.max_bytes > 0 ? config.max_bytes : bytes) - reserveBytes;
  const hasRoom = async (more: number): Promise<boolean> => {
    if (size.bytes() + more <= roomBytes - limits.journalNearlyFullBytes) return true;
    return (await size.refreshed()) + more <= roomBytes;
  };

  return {
    replicas: config.num_replicas,

    async append(log, after, record, { urgent = false } = {}): Promise<Appended> {
      const bytes = Buffer.byteLength(record) + MESSAGE_OVERHEAD;
      if (!urgent && !(await hasRoom(bytes))) return { kind: 'full' };
      const answer = await publish(nats, log, record, after);
      if ('seq' in answer) {
        size.grew(bytes);
        return { kind: 'appended', position: answer.seq };
      }
      const { errCode, description } = answer.refused;
      if (errCode === CONFLICT) return { kind: 'conflict' };
      if (NO_ROOM.includes(errCode) || (errCode === STORE_FAILED && /^maximum (bytes|messages)/.test(description))) {
        return { kind: 'full' };
      }
      throw answer.refused;
    },

    async read(log, after) {
      const messages = await messagesAfter(nats, JOURNAL_STREAM, log, after);
      return messages.map(({ seq, text }) => ({ position: seq, record: text }));
    },

    end: async (log) => (await lastMessage(nats, JOURNAL_STREAM, log))?.seq ?? 0,

    async last(log) {
      const message = await lastMessage(nats, JOURNAL_STREAM, log);
      return message && { position: message.seq, record: message.text };
    },

    async trim(log, upTo) {
      await trimSubject(nats, JOURNAL_STREAM, log, upTo, purger).catch(notTrimmed);
      size.forget();
    },
  };
}

// ---------------------------------------------------------------- machinery

async function publish(nats: Nats, log: string, record: string, after: Position): Promise<Published> {
  for (let tries = 1; ; tries++) {
    const answer = await nats.publish(log, record, after);
    if ('seq' in answer || answer.refused.errCode !== UNDER_WAY || tries === UNDER_WAY_TRIES) return answer;
    await setTimeout(UNDER_WAY_MS);
  }
}

/** No account of a node may purge the stream, so a purge that is refused lacks its own. */
function notTrimmed(error: unknown): never {
  if (!(error instanceof NotAllowed)) throw error;
  throw new Error(
    `${JOURNAL_STREAM} is not trimmed, and grows: set NATS_TRIM_URL to the brokers with the user holdfast_trim, who alone may ` +
      `purge it (deploy/security/nats-accounts.conf)`,
    { cause: error },
  );
}

const is =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);

/** compressionOf tells why. */
const UNCOMPRESSED: Requirement = {
  field: 'compression',
  wanted: 'none, as the stream has copies',
  fits: (value, { num_replicas: copies = 1 }) => copies === 1 || value !== 's2',
};

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

/**
 * The stream's size at the last request, plus our appends since. Other nodes append too, and each sees only its own
 * growth (hazard 18). So each appends no more than a known amount between two requests, and near the limit each asks
 * before every append: then all nodes together pass the limit by one record each at most.
 */
function streamSize(nats: Nats, bytesAtStart: number) {
  let known = bytesAtStart;
  let grown = 0;
  let askedAt = performance.now();
  let asking: Promise<void> | undefined;

  const ask = (): Promise<void> => {
    const before = grown;
    asking = streamInfo(nats, JOURNAL_STREAM)
      .then((info) => {
        if (info !== undefined) known = info.state.bytes;
        grown -= before; // What was appended meanwhile may not be in the answer.
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
      const isDue = grown > limits.journalBlindBytes || performance.now() - askedAt > REFRESH_MS;
      if (isDue && asking === undefined) void ask();
    },
    /** The answer to a request that begins now. */
    async refreshed(): Promise<number> {
      await asking;
      await (asking ?? ask());
      return known + grown;
    },
    forget() {
      askedAt = Number.NEGATIVE_INFINITY;
    },
  };
}
