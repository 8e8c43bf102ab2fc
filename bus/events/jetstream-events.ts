/**
 * Public events on JetStream: all are in the stream EVENTS, and each journal has its own subject.
 *
 * Law: each turn is one message, published with compare-and-set, so no zombie repeats or reorders messages. Old
 * messages leave by age and size, and a subject may become empty. If the broker supports it, it acknowledges a
 * message before it writes the message: the publisher can repeat lost messages (publisher.ts).
 *
 * The comparison uses the end of the stream where that is also the end of the subject: after our own last message on
 * this connection, while no other node publishes. To find a subject's end the broker reads the last message each time,
 * and then keeps ten seconds of messages in memory. A subject that retention empties meanwhile continues at its old
 * end instead of at 0, which is safe: no other message came between.
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

const CONFLICT = 10071;
const NO_ROOM = [10023, 10047];

interface JetstreamEvents extends EventLog {
  /** The broker may lose the messages that it acknowledged last when it crashes. */
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
    // Only a stream with one replica may have it. A version that does not know it leaves it out of the answer.
    ...(replicas === 1 && { persist_mode: 'async' }),
  } satisfies Partial<StreamConfig>;
  const { config, cluster } = await ensureStream(nats, shape, requirements);
  /** Our last message on this connection, while nothing is known to have come after it. */
  let latest: { readonly subject: string; readonly seq: number } | undefined;
  /**
   * No other node is known to publish here. A cluster has a name: there the stream's leader may be another broker than
   * ours. A single broker may name a leader too: 2.15 does so for a stream that exists already.
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
      isAlone = false; // Other nodes publish here too, and each would conflict with the other's messages.
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

/** The operator may change the retention. Other values of these fields would refuse the events. */
const requirements: readonly Requirement[] = [
  { field: 'subjects', wanted: 'events.>', fits: (s) => Array.isArray(s) && s.includes('events.>') },
  { field: 'discard', wanted: 'old', fits: (v) => v === 'old' },
  { field: 'retention', wanted: 'limits', fits: (v) => v === 'limits' },
  { field: 'sealed', wanted: 'false', fits: (v) => v !== true },
  { field: 'no_ack', wanted: 'false', fits: (v) => v !== true },
];
