/**
 * Reads a journal as public events: for a publisher that has fallen behind, and for a successor that publishes
 * the tail of a sealed journal.
 */

import type { JournalId } from '../../actors/ids.js';
import { EVENTS_SEAL, eventBatch } from '../../actors/node/cloud-events.js';
import { decodeRecord, journalLog } from '../../actors/node/record.js';
import type { EventLog } from '../../actors/ports/events.js';
import type { Log, Position } from '../../actors/ports/log.js';
import type { Clock, Logger } from '../../actors/ports/runtime.js';
import { pause } from '../retry.js';

interface Source {
  readonly log: Log;
  readonly journal: JournalId;
  readonly source: string;
}

interface ReadTurn {
  readonly n: number;
  readonly position: Position;
  /** Wall clock of the turn, milliseconds. */
  readonly at: number;
  /** Makes the batch; the text is empty when the turn has no events. */
  readonly batch: () => string;
}

/** A page of the journal after a position. A seal is the last entry. */
export async function turnsAfter({ log, journal, source }: Source, after: Position): Promise<(ReadTurn | 'seal')[]> {
  const name = journalLog(journal);
  const entries = await log.read(name, after);
  return entries.map(({ position, record }) => {
    const found = decodeRecord(record, `${name} at ${position}`);
    if (found.kind === 'turn') return { n: found.n, at: found.at, position, batch: () => eventBatch(found, source) };
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
  /** Ends the attempts. */
  readonly stopped?: () => boolean;
}

/**
 * Publishes the unpublished turns of a sealed journal, and seals its event log. Returns the journal's last n.
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
    if (tail.stopped?.() === true) throw new Error(`publishing the tail of journal ${tail.journal} was stopped`);
    await pause(tail.clock, attempt);
  }
}

// ---------------------------------------------------------------- machinery

/** EVENTS lacks a turn: if the turn is younger than this, the broker lost the message; if older, retention removed it. */
export const FORGETTABLE_MS = 180_000;

class NotSealed extends Error {}

/** Undefined when another publisher's message came between. */
async function publishOnce(tail: Tail): Promise<number | undefined> {
  const { events, journal, logger } = tail;
  const last = await events.last(journal);
  if (last?.sealed === true) return last.n;
  let published = last?.n ?? (await publishedOfEmpty(tail));
  let end = last?.position ?? 0;
  let at: Position = 0;

  for (;;) {
    const turns = await turnsAfter(tail, at);
    if (turns.length === 0) throw new NotSealed(`journal ${journal} shows no seal: its tail cannot be published yet`);
    for (const turn of turns) {
      const n = turn === 'seal' ? published : turn.n;
      const batch = turn === 'seal' ? EVENTS_SEAL : turn.n > published ? turn.batch() : '';
      if (n > Math.max(published, tail.publishedN) + 1) {
        logger.error(
          { journal, from: published + 1, to: n - 1 },
          'These turns are neither on EVENTS nor in the journal any more.',
        );
      }
      if (batch !== '') {
        const answer = await events.publish(journal, end, n, batch);
        if (answer.kind === 'conflict') return undefined;
        if (answer.kind === 'full') throw new Error('EVENTS is full');
        end = answer.position;
      }
      if (turn === 'seal') return n;
      published = Math.max(published, n);
      at = turn.position;
    }
  }
}

/**
 * The last published turn of an event log that is empty, although Postgres says that turns were published. Either
 * retention has emptied the log (hazard 11), or the broker has lost its messages. Turns of the last minutes were lost:
 * brokers sync every two minutes, and no retention is that short.
 */
async function publishedOfEmpty(tail: Tail): Promise<number> {
  if (tail.publishedN === 0) return 0;
  let first: number | undefined;
  let latestMs = 0;
  for (let at: Position = 0; ; ) {
    const turns = await turnsAfter(tail, at);
    for (const turn of turns) {
      if (turn === 'seal') continue;
      first ??= turn.n;
      latestMs = Math.max(latestMs, turn.at);
      at = turn.position;
    }
    if (turns.length === 0 || turns.includes('seal')) break;
  }
  // A turn's time may be ahead of the clock (turn-clock.ts): that proves nothing.
  const isForgotten = first !== undefined && Math.abs(tail.clock.now() - latestMs) < FORGETTABLE_MS;
  return isForgotten ? (first ?? 1) - 1 : tail.publishedN;
}
