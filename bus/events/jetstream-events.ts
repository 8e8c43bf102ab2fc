/**
 * Public events on JetStream: all are in the stream EVENTS, and each journal has its own subject.
 *
 * Law: each turn is one message, published with compare-and-set, so no zombie repeats or reorders messages. Old
 * messages leave by age and size, and a subject may become empty. If the broker supports it, it acknowledges a
 * message before it writes the message: the publisher can repeat lost messages (publisher.ts).
 *
 * The comparison uses the end of the stream where that is also the end of the subject: after our own last message on
 * this connection, while nobody else publishes. To find a subject's end the broker reads the last message each time,
 * and then keeps ten seconds of messages in memory. A subject that retention empties meanwhile continues at its old
 * end instead of at 0, which is safe: no other message came between.
 *
 * Nodes that publish at the same time meet conflicts at the stream's end. After one, the next messages are compared with
 * their subject's end, and then the stream's end is tried again: the other may have been a tail, or a node that is gone.
 *
 * A stream that exists gets the size and the age that the environment names, and keeps its own where it names none: the
 * operator may have changed them. One copy is compressed where the broker can (2.10 and later).
 */

import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Appended } from '../../actors/ports/log.js';
import type { Nats, Published, StreamConfig, StreamInfo } from '../nats/nats.js';
import {
  changeStream,
  compressionOf,
  ensureStream,
  lastMessage,
  type Requirement,
  streamInfo,
  streamInfoWhenLed,
} from '../nats/streams.js';
import { placeLines, turnIn } from './event-headers.js';

export const EVENTS_STREAM = 'EVENTS';

const CONFLICT = 10071;
const NO_ROOM = [10023, 10047];
/** So many messages are compared with their subject's end after another's message came between. */
const BESIDE_OTHERS = 1_000;

interface JetstreamEvents extends EventLog {
  /** The broker may lose the messages that it acknowledged last when it crashes. */
  readonly acknowledgesBeforeWriting: boolean;
  readonly retention: EventsRetention;
  /** Makes the stream if somebody deleted it. @returns whether it is another one than at the last call */
  isNewStream(): Promise<boolean>;
}

/** What the broker keeps. */
export interface EventsRetention {
  /** Of messages as they were sent. -1: no limit. */
  readonly bytes: number;
  /** 0: no limit. */
  readonly ageMs: number;
  readonly isCompressed: boolean;
}

/** Undefined: the default for a new stream, and whatever an existing one has. */
interface WantedRetention {
  readonly bytes?: number | undefined;
  readonly ageMs?: number | undefined;
}

export async function jetstreamEvents(
  nats: Nats,
  { replicas, bytes, ageMs }: { readonly replicas: number } & WantedRetention,
): Promise<JetstreamEvents> {
  const shape = {
    name: EVENTS_STREAM,
    description: DESCRIPTION,
    subjects: ['events.>'],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_age: (ageMs ?? limits.eventsAgeMs) * NS,
    max_bytes: bytes ?? limits.eventsBytes,
    compression: compressionOf(replicas),
    num_replicas: replicas,
    // Only a stream with one replica may have it. A version that does not know it leaves it out of the answer.
    ...(replicas === 1 && { persist_mode: 'async' }),
  } satisfies Partial<StreamConfig>;
  await streamInfoWhenLed(nats, EVENTS_STREAM);
  const found = await ensureStream(nats, shape, requirements);
  let known = found.created;
  const { config, cluster } = await asWanted(nats, found, { bytes, ageMs });
  /** Our last message on this connection, while nothing is known to have come after it. */
  let latest: { readonly subject: string; readonly seq: number } | undefined;
  /**
   * Messages left until the stream's end is tried again. A cluster has a name: there the stream's leader may be another
   * broker than ours. A single broker may name a leader too: 2.15 does so for a stream that exists already.
   */
  let besideOthers = cluster?.name === undefined ? 0 : Number.POSITIVE_INFINITY;
  nats.watch(() => {
    latest = undefined;
  });

  async function publishAt(subject: string, after: number, batch: string, headers: string): Promise<Published> {
    if (besideOthers > 0) besideOthers -= 1;
    const end = besideOthers === 0 && latest?.subject === subject && latest.seq === after ? 'stream' : 'subject';
    latest = undefined;
    const answer = await nats.publish(subject, batch, after, { headers, end });
    if ('seq' in answer) latest = { subject, seq: answer.seq };
    else if (end === 'stream' && answer.refused.errCode === CONFLICT) {
      besideOthers = BESIDE_OTHERS;
      return publishAt(subject, after, batch, headers);
    }
    return answer;
  }

  return {
    acknowledgesBeforeWriting: config.persist_mode === 'async',
    retention: { bytes: config.max_bytes, ageMs: config.max_age / NS, isCompressed: config.compression === 's2' },

    async isNewStream() {
      const { created } = await ensureStream(nats, shape, requirements);
      const isNew = created !== known;
      known = created;
      if (isNew) latest = undefined;
      return isNew;
    },

    async last(journal) {
      const message = await lastMessage(nats, EVENTS_STREAM, subjectOf(journal));
      if (message === undefined) return undefined;
      const n = turnIn(message.headers);
      if (n === undefined) {
        throw new Error(
          `The message ${message.seq} of ${EVENTS_STREAM} (${subjectOf(journal)}) was not published by Holdfast.`,
        );
      }
      return { position: message.seq, n, sealed: message.text === EVENTS_SEAL };
    },

    async keptSinceMs() {
      const info = await streamInfo(nats, EVENTS_STREAM);
      if (info === undefined) return Number.POSITIVE_INFINITY;
      const { first_seq: first, last_seq: last, messages, first_ts: oldest } = info.state;
      // The oldest go first.
      if (first <= 1 && (messages > 0 || last === 0)) return Number.NEGATIVE_INFINITY;
      return messages > 0 ? Date.parse(oldest) : Number.POSITIVE_INFINITY;
    },

    async publish(journal, after, n, batch, place): Promise<Appended> {
      const headers = `${placeLines(n, place)}Content-Type: application/cloudevents-batch+json\r\n`;
      const answer = await publishAt(subjectOf(journal), after, batch, headers);
      if ('seq' in answer) return { kind: 'appended', position: answer.seq };
      if (answer.refused.errCode === CONFLICT) return { kind: 'conflict' };
      if (NO_ROOM.includes(answer.refused.errCode)) return { kind: 'full' };
      throw answer.refused;
    },
  };
}

// ---------------------------------------------------------------- machinery

const DESCRIPTION = 'Holdfast: public events. Each message is a JSON array of CloudEvents, of one turn of one journal';
const NS = 1_000_000;

/** Each change is safe while others publish. */
async function asWanted(nats: Nats, found: StreamInfo, { bytes, ageMs }: WantedRetention): Promise<StreamInfo> {
  const { config } = found;
  const compression = compressionOf(config.num_replicas);
  const sizes: Partial<StreamConfig> = {
    ...(bytes !== undefined && config.max_bytes !== bytes && { max_bytes: bytes }),
    ...(ageMs !== undefined && config.max_age !== ageMs * NS && { max_age: ageMs * NS }),
  };
  const changes: Partial<StreamConfig> = {
    ...sizes,
    ...(config.description !== DESCRIPTION && { description: DESCRIPTION }),
    // A broker that cannot compress leaves the field out.
    ...(config.compression !== undefined && config.compression !== compression && { compression }),
  };
  if (Object.keys(changes).length === 0) return found;
  try {
    return await changeStream(nats, found, changes);
  } catch (error) {
    if (Object.keys(sizes).length === 0) return found; // It serves as it is.
    throw new Error(
      `The stream ${EVENTS_STREAM} on NATS could not be made as EVENTS_MIB and EVENTS_AGE_H say (${JSON.stringify(sizes)}): ` +
        `give NATS more room (max_file_store, or a larger disk), or other values. ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

const subjectOf = (journal: JournalId): string => `events.${journal}`;

/** The operator may change the retention. Other values of these fields would refuse the events. */
const requirements: readonly Requirement[] = [
  { field: 'subjects', wanted: 'events.>', fits: (s) => Array.isArray(s) && s.includes('events.>') },
  { field: 'discard', wanted: 'old', fits: (v) => v === 'old' },
  { field: 'retention', wanted: 'limits', fits: (v) => v === 'limits' },
  { field: 'sealed', wanted: 'false', fits: (v) => v !== true },
  { field: 'no_ack', wanted: 'false', fits: (v) => v !== true },
];
