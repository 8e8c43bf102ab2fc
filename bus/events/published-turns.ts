/**
 * Reads a journal as public events: for a publisher that has fallen behind, and for a successor that publishes
 * the tail of a sealed journal.
 */

import type { JournalId } from '../../actors/ids.js';
import { EVENTS_SEAL, type EventSource, eventBatch } from '../../actors/node/cloud-events.js';
import { decodeRecord, type Join, journalLog } from '../../actors/node/record.js';
import type { EventLog, EventsBefore } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pause } from '../retry.js';

interface Source {
  readonly log: Log;
  readonly journal: JournalId;
  readonly source: EventSource;
}

interface ReadTurn {
  readonly n: number;
  readonly position: Position;
  /** Wall clock of the turn, milliseconds. */
  readonly at: number;
  /** Makes the batch; the text is empty when the turn has no events. */
  readonly batch: () => string;
  readonly hasEvents: boolean;
  readonly joins: readonly Join[];
}

/** A page of the journal after a position. A seal is the last entry. */
export async function turnsAfter({ log, journal, source }: Source, after: Position): Promise<(ReadTurn | 'seal')[]> {
  const name = journalLog(journal);
  const entries = await log.read(name, after);
  return entries.map(({ position, record }) => {
    const found = decodeRecord(record, `${name} at ${position}`);
    if (found.kind === 'turn') {
      const { n, at, joins = [] } = found;
      const hasEvents = found.cascades.some(({ events }) => events.length > 0);
      return { n, at, position, batch: () => eventBatch(found, source), hasEvents, joins };
    }
    if (found.kind === 'seal') return 'seal';
    throw new Error(`${name} has a record of kind ${found.kind} at ${position}, which belongs into the claims`);
  });
}

interface Tail extends Source {
  readonly events: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From Postgres: all turns up to this one were published to EVENTS, even if retention has removed them since. */
  readonly publishedN: number;
  /** The last turn to publish. Without it the whole tail is published, and the event log is sealed. */
  readonly upTo?: number;
  /** Resolves when EVENTS has what must come first; with undefined when it must be asked again (event-order.O1). */
  readonly before: (joins: readonly Join[]) => Promise<EventsBefore | undefined>;
  /** Grows when the broker was away (event-order.O5). */
  readonly rechecks: () => number;
  /** Ends the attempts. */
  readonly stopped: () => boolean;
}

/**
 * Publishes the unpublished turns of a sealed journal, and seals its event log. Returns the last published n.
 * Others, such as the journal's own zombie, may publish the same turns at the same time. They compete for each message:
 * the loser asks for the end of the event log and continues from there.
 * @throws when the journal has no seal, or when told to stop
 */
export async function publishTail(tail: Tail): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      const done = await publishOnce(tail);
      if (done !== undefined) return done;
    } catch (error) {
      if (error instanceof NotSealed) throw error;
      const fields = { journal: tail.journal, attempt, cause: String(error) };
      tail.logger.warn(fields, 'The tail of a sealed journal is not on EVENTS yet: repeating it.');
    }
    if (tail.stopped()) throw new Error(`publishing the tail of journal ${tail.journal} was stopped`);
    await pause(tail.clock, attempt);
  }
}

// ---------------------------------------------------------------- machinery

/** EVENTS lacks a turn: if the turn is younger than this, the broker lost the message. */
export const FORGETTABLE_MS = 180_000;
/** The clocks of nodes and brokers differ by less. */
const CLOCKS_MS = 60_000;

/**
 * Whether EVENTS lacks a turn because the broker lost its message, and not because retention removed it. A turn's message is
 * no older than the turn, and its time may be ahead of the clock (turn-clock.ts).
 */
export const isLost = (turnMs: number, nowMs: number, keptSinceMs: number): boolean =>
  Math.abs(nowMs - turnMs) < FORGETTABLE_MS || turnMs - CLOCKS_MS >= keptSinceMs;

class NotSealed extends Error {}

const NOTHING = { published: 0, gone: 0 };

/** Undefined when it must begin again: another publisher's message came between, or the broker was away. */
async function publishOnce(tail: Tail): Promise<number | undefined> {
  const { events, journal, logger, upTo = Number.POSITIVE_INFINITY } = tail;
  const rechecks = tail.rechecks();
  const last = await events.last(journal);
  if (last?.sealed === true) return last.n;
  const empty = last === undefined ? await publishedOfEmpty(tail) : NOTHING;
  let published = last?.n ?? empty.published;
  let end = last?.position ?? 0;
  let at: Position = 0;
  /** The last turn that is a message, as far as it is known; or that is gone for good (publisher.E7). */
  let previous = last?.n ?? empty.gone;
  /** What the joins since then name. */
  let after: EventsBefore = [];

  for (;;) {
    const turns = await turnsAfter(tail, at);
    if (turns.length === 0) throw new NotSealed(`journal ${journal} shows no seal: its tail cannot be published yet`);
    for (const turn of turns) {
      const n = turn === 'seal' ? published : turn.n;
      if (n > upTo) return published;
      if (n > Math.max(published, tail.publishedN) + 1) {
        logger.error(
          { journal, from: published + 1, to: n - 1 },
          'These turns are neither on EVENTS nor in the journal any more.',
        );
        previous = n - 1; // publisher.E7
      }
      const isOwed = turn !== 'seal' && turn.n > published;
      if (isOwed && turn.joins.length > 0) {
        const before = await tail.before(turn.joins);
        if (before === undefined) return undefined;
        after = [...after, ...before];
      }
      if (tail.rechecks() !== rechecks) return undefined;
      const batch = turn === 'seal' ? EVENTS_SEAL : isOwed ? turn.batch() : '';
      if (batch !== '') {
        const answer = await events.publish(journal, end, n, batch, { previous, after });
        if (answer.kind === 'conflict') return undefined;
        if (answer.kind === 'full') throw new Error('EVENTS is full');
        end = answer.position;
        previous = n;
        after = [];
      }
      if (turn === 'seal') return n;
      published = Math.max(published, n);
      at = turn.position;
    }
  }
}

/**
 * The last published turn of an event log that is empty, although Postgres says that turns were published. Either
 * retention has emptied the log (hazard 11), or the broker has lost its messages. Turns of the last minutes were lost, since
 * no retention is that short, and so were those that are younger than the oldest message of EVENTS: a broker may have been
 * away for longer. What was lost and is not in the journal any more is gone.
 */
async function publishedOfEmpty(tail: Tail): Promise<{ readonly published: number; readonly gone: number }> {
  if (tail.publishedN === 0) return NOTHING;
  let first: number | undefined;
  let latestMs = 0;
  /** The first turn that retention cannot have removed. */
  let lost: number | undefined;
  const nowMs = tail.clock.now();
  const keptSinceMs = await tail.events.keptSinceMs();
  for (let at: Position = 0; ; ) {
    const turns = await turnsAfter(tail, at);
    for (const turn of turns) {
      if (turn === 'seal') continue;
      first ??= turn.n;
      latestMs = Math.max(latestMs, turn.at);
      if (isLost(turn.at, nowMs, keptSinceMs)) lost ??= turn.n;
      at = turn.position;
    }
    if (turns.length === 0 || turns.includes('seal')) break;
  }
  if (first === undefined || lost === undefined) return { published: tail.publishedN, gone: 0 };
  // All of them, if the last one is so young that the broker may not have synced anything since.
  const from = Math.abs(nowMs - latestMs) < FORGETTABLE_MS ? first : lost;
  return { published: from - 1, gone: from - 1 };
}
