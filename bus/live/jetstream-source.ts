/** Live events from EVENTS on the broker. */
import { type JournalId, journalId } from '../../actors/ids.js';
import { EVENTS_SEAL } from '../../actors/node/cloud-events.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { turnIn } from '../events/event-headers.js';
import { EventReader } from '../events/event-reader.js';
import { EVENTS_STREAM } from '../events/jetstream-events.js';
import type { Nats, StreamInfo } from '../nats/nats.js';
import { type ReadMessage, readStream } from '../nats/stream-reader.js';
import { streamInfo } from '../nats/streams.js';
import { MARGIN_MS } from './event-place.js';
import type { LiveSource } from './live-source.js';
import type { LastTurn } from './passage.js';

interface JetstreamSourceParts {
  readonly nats: Nats;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function jetstreamSource({ nats, clock, logger }: JetstreamSourceParts): LiveSource {
  const present = async (): Promise<StreamInfo> => {
    const info = await streamInfo(nats, EVENTS_STREAM);
    if (info === undefined) throw new Error('there is no stream EVENTS yet');
    return info;
  };
  return {
    async end() {
      // The lasts first: what comes between is told, though it was before. The other way round it would be missed.
      const isEmpty = (await present()).state.messages === 0;
      const lasts = new Map<JournalId, LastTurn>();
      for (const { subject, headers, text, storedMs } of isEmpty ? [] : await lastMessages(nats)) {
        const turn = turnIn(headers);
        if (turn === undefined) continue;
        const endedMs = text === EVENTS_SEAL ? { endedMs: storedMs } : {};
        lasts.set(journalId(subject.slice('events.'.length)), { turn, storedMs, ...endedMs });
      }
      const { created, state } = await present();
      const time = Math.max(0, Date.parse(state.last_ts));
      const turns = new Map([...lasts].map(([journal, { turn }]) => [journal, turn]));
      return { place: { created: Date.parse(created), seq: state.last_seq, time, turns }, lasts };
    },

    async *read({ created, seq, time, turns }, signal, onGap) {
      const { created: now } = await present();
      // The reader compares the broker's own text. Another text is another stream.
      const stream = created === Date.parse(now) ? now : new Date(created).toISOString();
      const from = { created: stream, seq, time, journals: Object.fromEntries(turns), ended: {} };
      const reader = new EventReader({ nats, clock, logger, signal, onGap, marginMs: MARGIN_MS, from });
      for await (const messages of reader.pages()) {
        const { created: made, ended } = reader.cursor;
        yield { messages, created: Date.parse(made), ended };
      }
    },
  };
}

// ---------------------------------------------------------------- machinery

const LASTS_MS = 3_000;

/** The last message of each journal. */
async function lastMessages(nats: Nats): Promise<ReadMessage[]> {
  const found: ReadMessage[] = [];
  const signal = AbortSignal.timeout(LASTS_MS);
  const reading = { stream: EVENTS_STREAM, filter: 'events.>', from: { kind: 'lasts' }, signal } as const;
  for await (const page of readStream(nats, reading)) {
    found.push(...page);
    if (page.at(-1)?.pending === 0) return found;
  }
  throw new Error(`the last messages of EVENTS were not read within ${LASTS_MS} ms`);
}
