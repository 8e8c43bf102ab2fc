/**
 * Public events on JetStream: a subject a journal, in the stream EVENTS.
 *
 * Law: one message a turn, published with compare-and-set, so that no zombie repeats or reorders. Old
 * messages leave by age and size, and may leave a subject empty. Where the broker can, it acknowledges
 * before it writes: whoever publishes here can repeat what is lost (publisher.ts).
 *
 * The end of the subject is compared as the end of the stream where they are the same: after our own last
 * message on this connection, while nobody else publishes. For a subject's end the broker reads that message
 * again, each time, and keeps ten seconds of messages in memory because they were read. A subject that is emptied
 * meanwhile goes on where it ended, instead of at 0: nothing came between all the same.
 */

import type { JournalId } from '../../actors/ids.js';
import { limits } from '../../actors/limits.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Appended } from '../../actors/ports/log.js';
import { refuseUnsoundReplicas } from '../nats/broker-guarantee.js';
import type { Nats, Published, StreamConfig } from '../nats/nats.js';
import { ensureStream, lastMessage, type Requirement } from '../nats/streams.js';

const EVENTS_STREAM = 'EVENTS';
/** A sealed event log's last message. */

const CONFLICT = 10071;
const NO_ROOM = [10023, 10047];

interface JetstreamEvents extends EventLog {
  /** The broker may forget its last acknowledgements when it crashes. */
  readonly acknowledgesBeforeWriting: boolean;
}

export async function jetstreamEvents(
  nats: Nats,
  { replicas, bytes = limits.eventsBytes }: { readonly replicas: number; readonly bytes?: number },
): Promise<JetstreamEvents> {
  refuseUnsoundReplicas(nats.version, replicas);
  const shape = {
    name: EVENTS_STREAM,
    subjects: ['events.>'],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_age: limits.eventsAgeMs * 1_000_000,
    max_bytes: bytes,
    num_replicas: replicas,
    // Of one broker alone; a version that does not know it leaves it out of the answer.
    ...(replicas === 1 && { persist_mode: 'async' }),
  } satisfies Partial<StreamConfig>;
  const { config, cluster } = await ensureStream(nats, shape, requirements);
  /** Our last message on this connection, while nothing is known to have come after it. */
  let latest: { readonly subject: string; readonly seq: number } | undefined;
  /**
   * Nobody else publishes here, as far as is known; in a cluster, which has a name, the stream may have another broker
   * than we. One broker by itself may say who leads all the same: 2.15 does, of a stream that is there already.
   */
  let isAlone = cluster?.name === undefined;
  nats.watch(() => {
    latest = undefined;
  });

  async function publishAt(subject: string, after: number, batch: string, headers: string): Promise<Published> {
    const end = isAlone && latest?.subject === subject && latest.seq === after ? 'stream' : 'subject';
    latest = undefined;
    const answer = await nats.publish(subject, batch, after, { headers, end });
    if ('seq' in answer) latest = { subject, seq: answer.seq };
    else if (end === 'stream' && answer.refused.errCode === CONFLICT) {
      isAlone = false; // Others publish here too: each would only find the other's message in its way.
      return publishAt(subject, after, batch, headers);
    }
    return answer;
  }

  return {
    acknowledgesBeforeWriting: config.persist_mode === 'async',

    async last(journal) {
      const message = await lastMessage(nats, EVENTS_STREAM, subjectOf(journal));
      if (message === undefined) return undefined;
      const n = Number(/^Holdfast-Turn: *(\d+)/im.exec(message.headers)?.[1]);
      if (!Number.isSafeInteger(n)) {
        throw new Error(
          `The message ${message.seq} of ${EVENTS_STREAM} (${subjectOf(journal)}) was not published by Holdfast.`,
        );
      }
      return { position: message.seq, n, sealed: message.text === EVENTS_SEAL };
    },

    async publish(journal, after, n, batch): Promise<Appended> {
      const headers = `Holdfast-Turn: ${n}\r\nContent-Type: application/cloudevents-batch+json\r\n`;
      const answer = await publishAt(subjectOf(journal), after, batch, headers);
      if ('seq' in answer) return { kind: 'appended', position: answer.seq };
      if (answer.refused.errCode === CONFLICT) return { kind: 'conflict' };
      if (NO_ROOM.includes(answer.refused.errCode)) return { kind: 'full' };
      throw answer.refused;
    },
  };
}

// ---------------------------------------------------------------- machinery

const subjectOf = (journal: JournalId): string => `events.${journal}`;

/** Retention is the operator's to change; these would keep the events out. */
const requirements: readonly Requirement[] = [
  { field: 'subjects', wanted: 'events.>', fits: (s) => Array.isArray(s) && s.includes('events.>') },
  { field: 'discard', wanted: 'old', fits: (v) => v === 'old' },
  { field: 'retention', wanted: 'limits', fits: (v) => v === 'limits' },
  { field: 'sealed', wanted: 'false', fits: (v) => v !== true },
  { field: 'no_ack', wanted: 'false', fits: (v) => v !== true },
];
