/**
 * A journal read as public events: by the publisher that has fallen behind, and by the successor that
 * publishes the tail of a sealed journal.
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
  /** Made when asked for: empty text when the turn has no events. */
  readonly batch: () => string;
}

/** A page of the journal after a position; a seal is its end. */
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
  /** What Postgres remembers: everything up to here is on EVENTS, also where its retention has emptied it. */
  readonly publishedN: number;
  /** Ends the trying. */
  readonly stopped?: () => boolean;
}

/**
 * Publishes what a sealed journal still owes and seals its event log; returns the journal's last n.
 * Whoever does the same at once, its own zombie too, competes message by message: whoever loses one asks
 * where the event log ends, and goes on from there.
 * @throws when the journal shows no seal, or when told to stop.
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

/** Younger than this, what EVENTS does not show was forgotten by the broker; older, it has left by retention. */
export const FORGETTABLE_MS = 180_000;

class NotSealed extends Error {}

/** Undefined when somebody else came between. */
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
 * An event log that is empty though Postgres remembers turns on it: its retention has emptied it (hazard 11), or
 * the broker has forgotten it. Turns of the last minutes have been forgotten: brokers sync every two, and no
 * retention is that short.
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
  const isForgotten = first !== undefined && tail.clock.now() - latestMs < FORGETTABLE_MS;
  return isForgotten ? (first ?? 1) - 1 : tail.publishedN;
}
